package simclinic

import "time"

const quarter = 15 // minutes; the schedule's grain

// practitioner is a member of staff who treats people.
type practitioner struct {
	name       string
	discipline int
	works      [7]bool // by time.Weekday
	place      [7]int8
	open, shut int // minutes after midnight
	// lunch starts here and takes half an hour; 0 where the shift is too short for one.
	lunch int
	// leave is the phase of the weeks off.
	leave int
}

const lunchMinutes = 30

func newPractitioner(r luck, i int, d Dials) practitioner {
	p := practitioner{
		name:       staffFirst[i%len(staffFirst)] + " " + staffLast[(i/len(staffFirst)+i)%len(staffLast)],
		discipline: i % d.Disciplines,
		leave:      r.between(0, 25),
	}
	// The names repeat after thirty by forty people.
	if round := i / (len(staffFirst) * len(staffLast)); round > 0 {
		p.name += " " + string(rune('A'+round))
	}
	off := time.Weekday(r.between(1, 5))
	for w := time.Monday; w <= time.Friday; w++ {
		p.works[w] = w != off
		p.place[w] = int8(i % d.Locations)
		if i%2 == 1 && (w == time.Tuesday || w == time.Thursday) {
			p.place[w] = int8((i + 1) % d.Locations)
		}
	}
	if i%4 == 2 {
		p.works[time.Saturday] = true
		p.place[time.Saturday] = int8(i % d.Locations)
	}
	p.open = 8*60 + 30*r.between(0, 4)
	switch i % 3 {
	case 0:
		p.shut = p.open + 8*60
	case 1:
		p.shut = p.open + 6*60
	default:
		p.shut = p.open + 9*60
	}
	if p.shut-p.open >= 7*60 {
		p.lunch = p.open + 4*60
	}
	return p
}

// shiftOn says whether p works on a day and where.
func (p *practitioner) shiftOn(d day) (place int, ok bool) {
	w := d.weekday()
	if !p.works[w] || (int(d)/7+p.leave)%26 == 0 {
		return 0, false
	}
	date := d.date()
	if date.Month == time.December && (date.Day == 25 || date.Day == 26) || date.Month == time.January && date.Day == 1 {
		return 0, false
	}
	return int(p.place[w]), true
}

// schedule knows which quarter-hours of whom are taken.
type schedule struct {
	premises *premises
	first    day
	days     int
	// taken has one bit a quarter-hour, by staff and day.
	taken [][2]uint64
	// byDiscipline lists the staff.
	byDiscipline [][]int
}

func newSchedule(p *premises, from, to day) *schedule {
	s := &schedule{premises: p, first: from, days: int(to-from) + 1, byDiscipline: make([][]int, len(p.specialities))}
	s.taken = make([][2]uint64, s.days*len(p.staff))
	for i, staff := range p.staff {
		s.byDiscipline[staff.discipline] = append(s.byDiscipline[staff.discipline], i)
	}
	return s
}

func (s *schedule) bits(staff int, d day) *[2]uint64 {
	return &s.taken[staff*s.days+int(d-s.first)]
}

// free says whether the minutes from..from+length of a working day are inside the shift, outside lunch and not taken.
func (s *schedule) free(staff int, d day, from, length int) bool {
	p := &s.premises.staff[staff]
	if from < p.open || from+length > p.shut {
		return false
	}
	if p.lunch > 0 && from < p.lunch+lunchMinutes && from+length > p.lunch {
		return false
	}
	bits := s.bits(staff, d)
	for q := from / quarter; q < (from+length+quarter-1)/quarter; q++ {
		if bits[q/64]&(1<<(q%64)) != 0 {
			return false
		}
	}
	return true
}

func (s *schedule) take(staff int, d day, from, length int) {
	bits := s.bits(staff, d)
	for q := from / quarter; q < (from+length+quarter-1)/quarter; q++ {
		bits[q/64] |= 1 << (q % 64)
	}
}

func (s *schedule) release(staff int, d day, from, length int) {
	bits := s.bits(staff, d)
	for q := from / quarter; q < (from+length+quarter-1)/quarter; q++ {
		bits[q/64] &^= 1 << (q % 64)
	}
}

// find looks for a free time on a day from a minute on, starting the search at wish; it returns minutes after midnight.
func (s *schedule) find(staff int, d day, earliest, wish, length int) (minute, place int, ok bool) {
	if d < s.first || int(d-s.first) >= s.days {
		return 0, 0, false
	}
	p := &s.premises.staff[staff]
	place, working := p.shiftOn(d)
	if !working {
		return 0, 0, false
	}
	lo := max(p.open, (earliest+quarter-1)/quarter*quarter)
	hi := p.shut - length
	if lo > hi {
		return 0, 0, false
	}
	wish = min(max(wish/quarter*quarter, lo), hi/quarter*quarter)
	for minute = wish; minute <= hi; minute += quarter {
		if s.free(staff, d, minute, length) {
			return minute, place, true
		}
	}
	for minute = wish - quarter; minute >= lo; minute -= quarter {
		if s.free(staff, d, minute, length) {
			return minute, place, true
		}
	}
	return 0, 0, false
}
