variable "clinic" {
  description = "The clinic's id in falloff."
  type        = string
}

variable "name_prefix" {
  description = "What names begin with."
  type        = string
}

variable "region" {
  description = "The region that the provider is set to, for the names of buckets and the key's policy."
  type        = string
}

variable "account" {
  description = "Number of the AWS account."
  type        = string
}

variable "key_administrators" {
  description = "ARNs of the roles that look after the key."
  type        = list(string)
}

variable "key_deletion_days" {
  description = "How many days AWS KMS waits before it deletes the key."
  type        = number
}

variable "noncurrent_days" {
  description = "How many days old versions of objects are kept."
  type        = number
}
