variable "clinic" {
  description = "The clinic's id in falloff."
  type        = string
}

variable "name_prefix" {
  description = "What names begin with."
  type        = string
}

variable "machines" {
  description = "ARNs of instance roles that may take the extraction, server and backup role."
  type        = list(string)
}

variable "stewards" {
  description = "ARNs of persons' roles that may become the steward, with a second factor."
  type        = list(string)
}

variable "cluster" {
  description = "The Kubernetes cluster whose service accounts take the roles, or null."
  type = object({
    provider_arn = string
    issuer       = string
    namespace    = string
  })
}

variable "server_records" {
  description = "Whether the query server writes what people say of leaks, settings and support access."
  type        = bool
}

variable "key_arn" {
  description = "ARN of the clinic's key."
  type        = string
}

variable "vault_key_arn" {
  description = "ARN of the key that seals vaults."
  type        = string
}

variable "data_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "backup_arn" {
  description = "ARN of the backups' bucket."
  type        = string
}

variable "replica_arn" {
  description = "ARN of the replica's bucket."
  type        = string
}

variable "lake_prefix" {
  description = "What the lake's objects begin with in their bucket."
  type        = string
}

variable "backup_prefix" {
  description = "What the backups' objects begin with in theirs."
  type        = string
}
