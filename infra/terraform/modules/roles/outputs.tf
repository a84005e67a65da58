output "arns" {
  description = "ARNs of the roles: extraction, server, backup and steward."
  value       = merge({ for name, role in aws_iam_role.machine : name => role.arn }, { steward = aws_iam_role.steward.arn })
}
