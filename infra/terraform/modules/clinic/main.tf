# A clinic's three buckets, all in its region: the lake, what falloff backup writes, and a replica of that which S3 makes.
locals {
  lake_prefix   = "lake"
  backup_prefix = "falloff"

  # Each bucket is named once here; what every bucket has is made for each of them below.
  buckets = {
    data    = aws_s3_bucket.data
    backup  = aws_s3_bucket.backup
    replica = aws_s3_bucket.replica
  }

  # The probe by which falloff finds out whether a bucket keeps create-only writes does not ask for encryption: the bucket's default
  # encrypts it.
  probes = {
    data    = "${local.lake_prefix}/.falloff/create-only"
    backup  = "${local.backup_prefix}/.falloff/create-only"
    replica = "${local.backup_prefix}/.falloff/create-only"
  }
}

resource "aws_s3_bucket" "data" {
  bucket = "${var.name_prefix}-${var.clinic}-${var.region}-data"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "backup" {
  bucket = "${var.name_prefix}-${var.clinic}-${var.region}-backup"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket" "replica" {
  bucket = "${var.name_prefix}-${var.clinic}-${var.region}-replica"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.clinic.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "each" {
  for_each = local.buckets
  bucket   = each.value.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
    expiration {
      expired_object_delete_marker = true
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.each]
}

resource "aws_s3_bucket_policy" "each" {
  for_each = local.buckets
  bucket   = each.value.id
  policy   = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.each]
}
