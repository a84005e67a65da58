package portal

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Level is an access level of a staff account.
type Level string

// The levels a staff account can have, least first.
const (
	NoAccess                 Level = "No Access"
	PractitionerLimited      Level = "Practitioner (Limited)"
	PractitionerFrontDesk    Level = "Practitioner/Front Desk"
	PractitionerFrontDeskAll Level = "Practitioner/Front Desk (All Locations)"
	FrontDesk                Level = "Front Desk"
	FrontDeskAll             Level = "Front Desk (All Locations)"
	AdministrativeAllBilling Level = "Administrative / All Billing"
	FullAccess               Level = "Full Access"
	AccountOwner             Level = "Account Owner"
)

var levels = []Level{
	NoAccess, PractitionerLimited, PractitionerFrontDesk, PractitionerFrontDeskAll, FrontDesk, FrontDeskAll,
	AdministrativeAllBilling, FullAccess, AccountOwner,
}

// Toggles are the switches beside an account's level.
type Toggles struct{ Billing, Charts, ManageShifts bool }

// Account is one staff member's sign-in.
type Account struct {
	Username, Password string
	Level              Level
	Toggles            Toggles
	SecondFactor       SecondFactor
	// Inactive is an account that the clinic has switched off.
	Inactive bool
	// Remembered are the filters the account used last; nil means an old range and the clinic's first location.
	Remembered *Filters
}

// DefaultClerk is the account an extraction is given: all billing, no charts, no shifts.
func DefaultClerk() Account {
	return Account{
		Username: "clerk", Password: "correct-horse-battery",
		Level: AdministrativeAllBilling, Toggles: Toggles{Billing: true},
	}
}

// capability is something an account may see or do.
type capability int

const (
	seeSchedule capability = iota
	seeAppointmentReports
	seeBilling
	seeActivity
	seePhotos
	seePatients
	seePatientList
	seeCharts
	manageShifts
)

// may tells whether the account's level and switches allow the capability. Administrative / All Billing sees every
// appointment and billing report and the clinic-wide activity log, but neither contact records nor the patient list.
func (a Account) may(c capability) bool {
	if a.Inactive || a.Level == NoAccess {
		return false
	}
	rank := slices.Index(levels, a.Level)
	administrative := rank >= slices.Index(levels, AdministrativeAllBilling)
	full := rank >= slices.Index(levels, FullAccess)
	switch c {
	case seeSchedule, seePhotos:
		return true
	case seeAppointmentReports:
		return rank >= slices.Index(levels, PractitionerFrontDesk)
	case seeBilling:
		return administrative && a.Toggles.Billing
	case seeActivity:
		return administrative
	case seePatients:
		return a.Level != AdministrativeAllBilling
	case seePatientList:
		return full
	case seeCharts:
		return a.Toggles.Charts
	case manageShifts:
		return a.Toggles.ManageShifts
	}
	return false
}

// standing is an account with what has happened to it.
type standing struct {
	Account
	filters     Filters
	wrongInARow int
	locked      bool
	proof       proof
}

// directory holds the clinic's staff accounts.
type directory struct {
	mu       sync.Mutex
	accounts map[string]*standing
}

func (d *directory) fill(accounts []Account, remembered Filters) error {
	d.accounts = make(map[string]*standing, len(accounts))
	for _, account := range accounts {
		switch {
		case account.Username == "" || account.Password == "":
			return errors.New("a portal account needs a username and a password")
		case !slices.Contains(levels, account.Level):
			return fmt.Errorf("portal account %q: access level %q is not one of %q", account.Username, account.Level, levels)
		case account.SecondFactor.check() != nil:
			return fmt.Errorf("portal account %q: %w", account.Username, account.SecondFactor.check())
		case d.accounts[account.Username] != nil:
			return fmt.Errorf("portal account %q is given twice", account.Username)
		}
		filters := remembered
		if account.Remembered != nil {
			filters = *account.Remembered
		}
		d.accounts[account.Username] = &standing{Account: account, filters: filters}
	}
	return nil
}

func (d *directory) account(username string) (Account, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.accounts[username]
	if !ok {
		return Account{}, false
	}
	return found.Account, true
}

// change applies edit to an account, and reports whether there is one.
func (d *directory) change(username string, edit func(*standing)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.accounts[username]
	if ok {
		edit(found)
	}
	return ok
}

// admit decides about a sign-in. What is wrong with an account is told only to who knows its password, a lock excepted:
// a locked account compares no more passwords.
func (d *directory) admit(username, password string, lockAfter int) (SignInOutcome, refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.accounts[username]
	if !ok {
		return SignInWrong, refusedPassword
	}
	if found.locked {
		return SignInLocked, refusedLocked
	}
	if subtle.ConstantTimeCompare([]byte(found.Password), []byte(password)) != 1 {
		found.wrongInARow++
		if found.wrongInARow >= lockAfter {
			found.locked = true
			return SignInLocked, refusedLocked
		}
		return SignInWrong, refusedPassword
	}
	found.wrongInARow = 0
	if found.Inactive {
		return SignInInactive, refusedInactive
	}
	return SignInAccepted, refusal{}
}
