// Package infra holds no program: its tests hold the Dockerfile and the compose file against their rules. BuildKit's and Compose's own
// readers are asked in the module infra/readers.
package infra
