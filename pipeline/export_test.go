package pipeline

// What tests outside of the package need to see of its inside.

// OpenSiteOn opens a clinic in a store that is at hand.
var OpenSiteOn = openSite

// PseudonymKinds says of every column that holds pseudonyms whose they are.
var PseudonymKinds = pseudonymKinds
