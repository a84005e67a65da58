variable "place" {
  description = "Where all of this lies: montreal (Canada, and every country not named here), oregon (United States, Cayman Islands), sydney (Australia, New Zealand, Singapore) or london (United Kingdom, Europe). Clinics of another place are another application of this folder, with a state of its own."
  type        = string

  validation {
    condition     = contains(["montreal", "oregon", "sydney", "london"], var.place)
    error_message = "The place is montreal, oregon, sydney or london: falloff refuses a lake anywhere else."
  }
}

variable "name_prefix" {
  description = "What the names of buckets, keys and roles begin with. Names of buckets are the whole world's: choose one that is yours."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name_prefix))
    error_message = "The prefix is 3 to 16 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "clinics" {
  description = "The clinics of this place, by their id in falloff: lower-case letters, digits and hyphens."
  type        = set(string)

  validation {
    condition     = alltrue([for id in var.clinics : can(regex("^[a-z0-9][a-z0-9-]{0,20}[a-z0-9]$", id))])
    error_message = "A clinic's id is 2 to 22 lower-case letters, digits and hyphens here, so that the names of its buckets are short enough."
  }
}

variable "key_administrators" {
  description = "ARNs of the roles that look after the KMS keys: they can change, disable and delete a key, and read nothing with it."
  type        = list(string)

  validation {
    condition     = length(var.key_administrators) > 0 && alltrue([for arn in var.key_administrators : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "Name at least one role or user by its whole ARN. A wildcard would let others in."
  }
}

variable "stewards" {
  description = "ARNs of the persons' roles that may become a clinic's steward, who erases patients, deletes clinics and restores backups. A second factor is demanded."
  type        = list(string)

  validation {
    condition     = length(var.stewards) > 0 && alltrue([for arn in var.stewards : can(regex("^arn:aws:iam::[0-9]{12}:(role|user)/[^*]+$", arn))])
    error_message = "Name at least one role or user by its whole ARN: without a steward nobody could erase a patient. A wildcard would let others in."
  }
}

variable "machines" {
  description = "ARNs of the instance roles that run falloff outside of Kubernetes (systemd units), which may take a clinic's extraction, server and backup role. Empty where Kubernetes does it."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.machines : can(regex("^arn:aws:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "Name roles by their whole ARN. A wildcard would let others in."
  }
}

variable "cluster" {
  description = "The Kubernetes cluster whose service accounts take the roles: the ARN of its OIDC provider, the provider's issuer without https://, and the namespace of the Helm releases. null where there is none."
  type = object({
    provider_arn = string
    issuer       = string
    namespace    = string
  })
  default = null
}

variable "server_records" {
  description = "Whether people work on leaks, change settings and grant support access through the query server. It then writes commits and registers; without that it reads, and writes its audit chain alone."
  type        = bool
  default     = true
}

variable "noncurrent_days" {
  description = "How many days an overwritten or deleted version of an object is kept. falloff delete removes a clinic's versions at once, whatever this says."
  type        = number
  default     = 35

  validation {
    condition     = var.noncurrent_days >= 7 && var.noncurrent_days <= 365
    error_message = "Keep old versions from 7 to 365 days: fewer give no time to notice a mistake, more outlive what was erased by mistake of a bucket's rule."
  }
}

variable "key_deletion_days" {
  description = "How many days AWS KMS waits before it deletes a key for good."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "AWS KMS waits 7 to 30 days."
  }
}

variable "tags" {
  description = "Tags of everything that can carry some."
  type        = map(string)
  default     = {}
}
