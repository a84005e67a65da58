// Package terraform holds no program: its tests read the Terraform files beside it with HashiCorp's own parser, and hold them
// against what is promised of where data lie and who reaches them. They were applied to no account; see README.md.
package terraform
