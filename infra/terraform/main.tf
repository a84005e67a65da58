# Where clinics' data may lie. A test compares this with the program's own list (transforms/settings/residency.go).
locals {
  places = {
    montreal = "ca-central-1"
    oregon   = "us-west-2"
    sydney   = "ap-southeast-2"
    london   = "eu-west-2"
  }
  region = local.places[var.place]
  tags   = merge(var.tags, { application = "falloff", place = var.place })
}

# The one provider: nothing here can be made in another region than the clinics' own.
provider "aws" {
  region = local.region

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "this" {}

module "clinic" {
  source   = "./modules/clinic"
  for_each = var.clinics

  clinic             = each.key
  name_prefix        = var.name_prefix
  region             = local.region
  account            = data.aws_caller_identity.this.account_id
  key_administrators = var.key_administrators
  key_deletion_days  = var.key_deletion_days
  noncurrent_days    = var.noncurrent_days
}

module "roles" {
  source   = "./modules/roles"
  for_each = var.clinics

  clinic         = each.key
  name_prefix    = var.name_prefix
  machines       = var.machines
  stewards       = var.stewards
  cluster        = var.cluster
  server_records = var.server_records
  key_arn        = module.clinic[each.key].key_arn
  vault_key_arn  = aws_kms_key.vault.arn
  data_arn       = module.clinic[each.key].data_arn
  backup_arn     = module.clinic[each.key].backup_arn
  replica_arn    = module.clinic[each.key].replica_arn
  lake_prefix    = module.clinic[each.key].lake_prefix
  backup_prefix  = module.clinic[each.key].backup_prefix
}
