// Package access decides who may see and do what. It is the one door: Policy.Visible is the only function that decides, and
// what it gives says for every clinic which permissions a person holds, which marts' rows and which figures they may see, and
// whether those of all patients or only of their own caseload.
//
// A permission is "group.action". Holding an action implies the reads of its group, and never the other way round. Nobody holds
// a permission without a role; a role is held at named clinics, or at all of them where the policy says "*". A principal with
// several roles holds what any of them gives: a further role never takes something away.
//
// The package reads no file, asks no clock and knows neither HTTP nor DuckDB: the policy's text, the principal and the moment are
// passed in. Which principal a request speaks for is found out by warehouse/identity.
package access
