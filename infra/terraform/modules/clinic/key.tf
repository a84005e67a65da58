# The clinic's own key: it encrypts this clinic's buckets and nothing else, so that deleting it (falloff delete --schedule-kms-key)
# ends every copy at once.
resource "aws_kms_key" "clinic" {
  description             = "${var.name_prefix}: the data of clinic ${var.clinic}"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = data.aws_iam_policy_document.key.json

  lifecycle {
    prevent_destroy = true # a clinic is deleted by falloff delete, which certifies it
  }
}

resource "aws_kms_alias" "clinic" {
  name          = "alias/${var.name_prefix}-${var.clinic}"
  target_key_id = aws_kms_key.clinic.key_id
}

# In a key's policy "*" is the key itself.
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Administer"
    resources = ["*"]
    actions = [
      "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:EnableKeyRotation",
      "kms:ListResourceTags", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription", "kms:CreateAlias", "kms:DeleteAlias",
      "kms:EnableKey", "kms:DisableKey", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
    ]
    principals {
      type        = "AWS"
      identifiers = var.key_administrators
    }
  }

  # It lets nobody in: it lets this account's IAM policies do so, and only where S3 of this region asks on the role's behalf.
  statement {
    sid       = "UseThroughS3AsRolesSay"
    resources = ["*"]
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account}:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.region}.amazonaws.com"]
    }
  }

  # What falloff delete --schedule-kms-key asks for, as the steward.
  statement {
    sid       = "DeleteAsRolesSay"
    resources = ["*"]
    actions   = ["kms:DescribeKey", "kms:ScheduleKeyDeletion"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account}:root"]
    }
  }
}
