// Package identity finds out whom a request speaks for. It takes signed identities and nothing else: no header, no address and
// no name in a request counts.
//
// Four kinds of signature can be configured, each alone or beside the others: the Grafana plugin's token (package plugintoken),
// the ID token that Grafana forwards about its signed-in user (header X-Grafana-Id), an access token of an OIDC issuer, and a
// service token of our own. A request carries exactly one.
//
// What is verified says who somebody is, never what they may: that is warehouse/access. No error repeats a token or a name out
// of one.
package identity
