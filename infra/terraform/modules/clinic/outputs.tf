output "lake" {
  description = "The lake's address, for falloff.yaml."
  value       = "s3://${aws_s3_bucket.data.bucket}/${local.lake_prefix}"
}

output "backup" {
  description = "The address for falloff backup --to."
  value       = "s3://${aws_s3_bucket.backup.bucket}/${local.backup_prefix}"
}

output "replica" {
  description = "The address of the replica, for falloff delete --backup and falloff restore --from."
  value       = "s3://${aws_s3_bucket.replica.bucket}/${local.backup_prefix}"
}

output "key_arn" {
  description = "ARN of the clinic's key."
  value       = aws_kms_key.clinic.arn
}

output "data_arn" {
  description = "ARN of the lake's bucket."
  value       = aws_s3_bucket.data.arn
}

output "backup_arn" {
  description = "ARN of the backups' bucket."
  value       = aws_s3_bucket.backup.arn
}

output "replica_arn" {
  description = "ARN of the replica's bucket."
  value       = aws_s3_bucket.replica.arn
}

output "lake_prefix" {
  description = "What the lake's objects begin with in their bucket."
  value       = local.lake_prefix
}

output "backup_prefix" {
  description = "What the backups' objects begin with in theirs."
  value       = local.backup_prefix
}
