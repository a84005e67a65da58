// Package helm holds no program: its tests look at what Helm made of the chart beside it, which is kept in rendered. Helm itself is
// asked in the module infra/readers.
package helm
