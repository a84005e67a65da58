# What seals the vaults of this place (falloff.yaml: kms_key). It encrypts 32 bytes for each vault, and no data: the clinics' keys
# do that.
resource "aws_kms_key" "vault" {
  description             = "${var.name_prefix}: seals falloff's vaults"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = data.aws_iam_policy_document.vault_key.json

  lifecycle {
    prevent_destroy = true # without it nobody opens a vault again, nor with that a lake or a backup
  }
}

resource "aws_kms_alias" "vault" {
  name          = "alias/${var.name_prefix}-vault"
  target_key_id = aws_kms_key.vault.key_id
}

# In a key's policy "*" is the key itself.
data "aws_iam_policy_document" "vault_key" {
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

  # It lets nobody in: it lets this account's IAM policies do so, of which there are the roles' and no others here.
  statement {
    sid       = "UseAsRolesSay"
    resources = ["*"]
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }
}
