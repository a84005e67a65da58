package simclinic

// treatment is one bookable item of the catalogue.
type treatment struct {
	name    string
	minutes int
	// cents is the net price in a country whose priceShare is 100.
	cents   int64
	taxable bool
}

// speciality is one discipline of the catalogue and how care goes in it.
type speciality struct {
	name string
	// first is what a first visit is booked as, usual what the later ones are, short an occasional shorter visit.
	first, usual, short treatment
	// cadence is days between visits, visit by visit; the last one repeats.
	cadence []int
	// fewest and most are the visits of one plan of care.
	fewest, most int
}

// catalogue is what the clinic can offer, in the order in which the Disciplines dial takes it. Prices end in halves so
// that the tax has to be rounded.
var catalogue = []speciality{
	{
		"Physiotherapy",
		treatment{"Physiotherapy Initial Assessment", 60, 118_00, false},
		treatment{"Physiotherapy Treatment", 45, 94_50, false},
		treatment{"Physiotherapy Short Visit", 30, 68_50, false},
		[]int{4, 4, 7, 7, 7, 7, 14}, 5, 12,
	},
	{
		"Massage Therapy",
		treatment{"Massage Therapy 60 Minutes", 60, 108_50, true},
		treatment{"Massage Therapy 60 Minutes", 60, 108_50, true},
		treatment{"Massage Therapy 30 Minutes", 30, 66_50, true},
		[]int{21, 28}, 3, 12,
	},
	{
		"Chiropractic",
		treatment{"Chiropractic Assessment", 45, 104_00, false},
		treatment{"Chiropractic Adjustment", 30, 58_50, false},
		treatment{"Chiropractic Recheck", 15, 39_50, false},
		[]int{3, 4, 4, 7, 7, 14, 21}, 6, 14,
	},
	{
		"Counselling",
		treatment{"Counselling Intake", 60, 152_50, true},
		treatment{"Counselling Session", 60, 141_50, true},
		treatment{"Counselling Check-in", 30, 80_00, true},
		[]int{14, 14, 14, 21}, 4, 16,
	},
	{
		"Acupuncture",
		treatment{"Acupuncture First Visit", 60, 112_50, true},
		treatment{"Acupuncture Treatment", 45, 88_50, true},
		treatment{"Acupuncture Short Treatment", 30, 62_50, true},
		[]int{7, 7, 10, 14}, 4, 10,
	},
	{
		"Occupational Therapy",
		treatment{"Occupational Therapy Assessment", 60, 134_00, false},
		treatment{"Occupational Therapy Treatment", 45, 121_50, false},
		treatment{"Occupational Therapy Review", 30, 79_50, false},
		[]int{7, 14}, 4, 10,
	},
}

// class is the group booking; it belongs to the first discipline of the catalogue.
var class = treatment{"Exercise Class", 60, 31_50, true}

// product is something sold beside a visit.
type product struct {
	name  string
	cents int64
}

var products = []product{
	{"Resistance Band", 18_50}, {"Foam Roller", 42_50}, {"Posture Cushion", 64_00}, {"Cold Pack", 23_50},
}

var placeNames = []string{
	"Harbour Street", "Mill Road", "Station Square", "Lakeview", "Old Brewery", "Garden Court", "North Gate", "Bridge End",
}

// insurerNames are the insurers that clinic.yaml lists. The one after them is known from claims and policies only.
var insurerNames = []string{
	"Maple Mutual", "Northern Shield", "Great Lakes Life", "Harbour Benefit", "Tidewater Health", "Workers Cover Board",
}

const unlistedInsurer = "Corner Mutual"

// workersCover is the insurer that pays whole visits, as workers' compensation does.
const workersCover = 5

// Given names and surnames of staff. Staff are named openly in every report: they are no canaries.
var (
	staffFirst = []string{
		"Avery", "Morgan", "Robin", "Quinn", "Rowan", "Casey", "Jordan", "Riley", "Emery", "Blair", "Drew", "Ellis", "Frankie",
		"Harper", "Indigo", "Jules", "Kerry", "Lane", "Marlow", "Noel", "Ocean", "Parker", "Reese", "Sage", "Tatum", "Uma",
		"Vale", "Wren", "Yael", "Zion",
	}
	staffLast = []string{
		"Stone", "Reyes", "Okafor", "Lindqvist", "Marsh", "Chen", "Dubois", "Hale", "Ivanova", "Kaur", "Laurent", "Mbeki",
		"Novak", "Osei", "Pereira", "Rossi", "Singh", "Tanaka", "Underhill", "Vega", "Walsh", "Xu", "Yilmaz", "Zimmer",
		"Abbott", "Bauer", "Costa", "Duarte", "Eriksen", "Fontaine", "Gallo", "Hendry", "Ibarra", "Jansen", "Keller", "Lopez",
		"Moreau", "Nkemelu", "Orr", "Petrov",
	}
)

// reasons is the portal's own list of reasons for cancelling.
var reasons = []string{"Patient sick", "Schedule conflict", "No reason given", "Transportation", "Feeling better", "Weather", "Cost"}
