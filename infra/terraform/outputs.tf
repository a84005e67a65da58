output "region" {
  description = "The region of this place: falloff.yaml's region, and AWS_REGION."
  value       = local.region
}

output "vault_key" {
  description = "ARN of the key that seals vaults: falloff.yaml's kms_key."
  value       = aws_kms_key.vault.arn
}

output "clinics" {
  description = "For each clinic what goes into its falloff.yaml (lake, s3_kms_key, backups) and which role does what. `replica` is cleared by falloff delete --backup, and written by S3 alone."
  value = {
    for id in var.clinics : id => {
      lake       = module.clinic[id].lake
      s3_kms_key = module.clinic[id].key_arn
      backup     = module.clinic[id].backup
      replica    = module.clinic[id].replica
      roles      = module.roles[id].arns
    }
  }
}
