# What each may do. GetObject without ListBucket would answer 403 for what is not there; hence both, on the bucket of this clinic alone.

# falloff run, build: it writes data, and removes what it staged. It removes no version for good, and reaches no backup.
data "aws_iam_policy_document" "extraction" {
  statement {
    sid       = "AskWhere"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.data_arn]
  }

  statement {
    sid       = "ReadTheLake"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake}/*"]
  }

  statement {
    sid       = "WriteData"
    actions   = ["s3:PutObject"]
    resources = ["${local.lake}/clinic=${var.clinic}/*"]
  }

  statement {
    sid       = "RemoveWhatIsUsedUp"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.lake}/clinic=${var.clinic}/*"]
  }

  statement {
    sid       = "ProveTheBucket"
    actions   = ["s3:PutObject"]
    resources = ["${local.lake}/.falloff/*"]
  }

  statement {
    sid       = "WriteRecordsOnce"
    actions   = ["s3:PutObject"]
    resources = local.records
    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  statement {
    sid       = "UseTheClinicsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "OpenTheVault"
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = [var.vault_key_arn]
  }
}

# falloff serve: it reads, and writes its audit chain. What people say through it is written where that is switched on.
data "aws_iam_policy_document" "server" {
  statement {
    sid       = "AskWhere"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.data_arn]
  }

  statement {
    sid       = "ReadTheLake"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake}/*"]
  }

  dynamic "statement" {
    for_each = var.server_records ? [true] : []
    content {
      sid       = "WriteWhatPeopleSay"
      actions   = ["s3:PutObject"]
      resources = ["${local.lake}/clinic=${var.clinic}/*"]
    }
  }

  statement {
    sid       = "ProveTheBucket"
    actions   = ["s3:PutObject"]
    resources = ["${local.lake}/.falloff/*"]
  }

  statement {
    sid       = "WriteRecordsOnce"
    actions   = ["s3:PutObject"]
    resources = local.records
    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  statement {
    sid       = "UseTheClinicsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "OpenTheVault"
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = [var.vault_key_arn]
  }
}

# falloff backup: it reads the lake, and writes backups, of which it can take none away for good.
data "aws_iam_policy_document" "backup" {
  statement {
    sid       = "AskWhere"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.data_arn]
  }

  statement {
    sid       = "AskWhereOfBackups"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [var.backup_arn]
  }

  statement {
    sid       = "ReadTheLake"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake}/*"]
  }

  statement {
    sid       = "ReadAndWriteBackups"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.backup}/*"]
  }

  statement {
    sid       = "HoldTheClinic"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.lake}/clinic=${var.clinic}/state/*"]
  }

  statement {
    sid       = "ProveTheBucket"
    actions   = ["s3:PutObject"]
    resources = ["${local.lake}/.falloff/*"]
  }

  statement {
    sid       = "WriteRecordsOnce"
    actions   = ["s3:PutObject"]
    resources = local.records
    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  statement {
    sid       = "UseTheClinicsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "OpenTheVault"
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = [var.vault_key_arn]
  }
}

# A person with a second factor: falloff delete, delete --patient, lake gc, restore, backup prune. The only one who removes versions for good.
data "aws_iam_policy_document" "steward" {
  statement {
    sid       = "AskWhere"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketVersions"]
    resources = [var.data_arn, var.backup_arn, var.replica_arn]
  }

  statement {
    sid       = "ReadAndWrite"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.lake}/clinic=${var.clinic}/*", "${local.lake}/barred/${var.clinic}/*", "${local.lake}/deletions/${var.clinic}/*", "${local.backup}/*"]
  }

  statement {
    sid       = "ReadTheRest"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake}/*", "${local.replica}/*"]
  }

  statement {
    sid       = "RemoveForGood"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${local.lake}/*", "${local.backup}/*", "${local.replica}/*"]
  }

  statement {
    sid       = "ProveTheBucket"
    actions   = ["s3:PutObject"]
    resources = ["${local.lake}/.falloff/*"]
  }

  statement {
    sid       = "WriteRecordsOnce"
    actions   = ["s3:PutObject"]
    resources = local.records
    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  statement {
    sid       = "UseTheClinicsKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "DeleteTheClinicsKey"
    actions   = ["kms:DescribeKey", "kms:ScheduleKeyDeletion"]
    resources = [var.key_arn]
  }

  statement {
    sid       = "OpenTheVault"
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = [var.vault_key_arn]
  }
}
