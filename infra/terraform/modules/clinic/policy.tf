# What nobody may do to a bucket, administrators among them. It allows nothing: the roles' own policies do.
data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "DenyPlainHTTP"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "DenyOlderTLS"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.3"]
    }
  }

  # A write that does not say how it is to be encrypted, or otherwise than by KMS.
  statement {
    sid           = "DenyUnencryptedWrites"
    effect        = "Deny"
    actions       = ["s3:PutObject"]
    not_resources = ["${each.value.arn}/${local.probes[each.key]}"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringNotEquals"
      variable = "s3:x-amz-server-side-encryption"
      values   = ["aws:kms"]
    }
  }

  # A write under another key than the clinic's.
  statement {
    sid           = "DenyOtherKeys"
    effect        = "Deny"
    actions       = ["s3:PutObject"]
    not_resources = ["${each.value.arn}/${local.probes[each.key]}"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringNotEquals"
      variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
      values   = [aws_kms_key.clinic.arn]
    }
  }

  # The audit log and the agreements are written once, and never by a request that could overwrite.
  statement {
    sid       = "DenyOverwritingRecords"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${each.value.arn}/${local.lake_prefix}/audit/*", "${each.value.arn}/${local.lake_prefix}/agreements/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
  }

  statement {
    sid       = "DenyRemovingRecords"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${each.value.arn}/${local.lake_prefix}/audit/*", "${each.value.arn}/${local.lake_prefix}/agreements/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}
