// Package e2e holds the tests of the plugin as a whole: that its dashboards ask nothing that the query server does not
// answer, and that every panel shows data in a real Grafana. It has no code of its own.
package e2e
