// Package systemd holds no program: its tests have systemd itself read the units beside it.
package systemd
