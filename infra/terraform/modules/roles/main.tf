# The four who act for a clinic, each with the least that works. What a request must be like (TLS, encryption, create-only records) is
# in the buckets' policies, which hold for these too.
locals {
  lake    = "${var.data_arn}/${var.lake_prefix}"
  backup  = "${var.backup_arn}/${var.backup_prefix}"
  replica = "${var.replica_arn}/${var.backup_prefix}"

  # What is written once, by every one of them: the create-only condition is demanded here and by the bucket.
  records = ["${local.lake}/audit/*", "${local.lake}/agreements/*"]

  # The names of service accounts that the Helm chart makes.
  accounts = {
    extraction = "${var.clinic}-extraction"
    server     = "${var.clinic}-server"
    backup     = "${var.clinic}-backup"
  }

  policies = {
    extraction = data.aws_iam_policy_document.extraction.json
    server     = data.aws_iam_policy_document.server.json
    backup     = data.aws_iam_policy_document.backup.json
  }
}

resource "aws_iam_role" "machine" {
  for_each             = local.policies
  name                 = "${var.name_prefix}-${var.clinic}-${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.machine_trust[each.key].json
  max_session_duration = 3600 * 12 # a first run reads years
}

resource "aws_iam_role_policy" "machine" {
  for_each = local.policies
  name     = each.key
  role     = aws_iam_role.machine[each.key].id
  policy   = each.value
}

resource "aws_iam_role" "steward" {
  name                 = "${var.name_prefix}-${var.clinic}-steward"
  assume_role_policy   = data.aws_iam_policy_document.steward_trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "steward" {
  name   = "steward"
  role   = aws_iam_role.steward.id
  policy = data.aws_iam_policy_document.steward.json
}

data "aws_iam_policy_document" "machine_trust" {
  for_each = local.accounts

  dynamic "statement" {
    for_each = length(var.machines) > 0 ? [var.machines] : []
    content {
      sid     = "Machines"
      actions = ["sts:AssumeRole"]
      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }

  dynamic "statement" {
    for_each = var.cluster == null ? [] : [var.cluster]
    content {
      sid     = "ServiceAccount"
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [statement.value.provider_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${statement.value.issuer}:sub"
        values   = ["system:serviceaccount:${statement.value.namespace}:${each.value}"]
      }
      condition {
        test     = "StringEquals"
        variable = "${statement.value.issuer}:aud"
        values   = ["sts.amazonaws.com"]
      }
    }
  }
}

data "aws_iam_policy_document" "steward_trust" {
  statement {
    sid     = "PersonsWithASecondFactor"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = var.stewards
    }
    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
  }
}
