// Package telemetry says how falloff goes to those who run it: logs, traces and metrics. Everything leaves through one layer that
// withholds what could name a person or open a door: see Redact. What is told is telemetry's own list of words and numbers
// (Attributes); a text that nobody declared stays behind.
package telemetry
