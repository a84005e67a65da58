package lake

import (
	"context"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// What tests outside of the package need to see of its inside.

// CompareContent orders two forms of one appointment as Upsert does where they were last seen on one day.
func CompareContent(a, b []contract.Appointment) int {
	return Appointments.contentOf(a).compare(Appointments.contentOf(b))
}

// EncodeAppointments is the Parquet file of a partition.
func EncodeAppointments(rows []contract.Appointment) ([]byte, error) {
	return Appointments.encode(rows)
}

// EncodeSortedAppointments is EncodeAppointments of rows that are in order.
func EncodeSortedAppointments(rows []contract.Appointment) ([]byte, error) {
	return Appointments.encodeSorted(rows)
}

// EncryptAppointments is the encrypted file of a partition, whose rows are in order.
func EncryptAppointments(c *Clinic, rows []contract.Appointment) ([]byte, error) {
	file, err := Appointments.encryptTable(c, "data/appointments/month=2024-01/", rows)
	return file.body, err
}

// IsRemoved says whether a commit's list of removed units has one.
func IsRemoved(ctx context.Context, c *Clinic, commit *Commit, dataset, unit string) (bool, error) {
	object := commit.Datasets[dataset].Removed
	if object == nil {
		return false, nil
	}
	body, err := c.fetch(ctx, *object)
	if err != nil {
		return false, err
	}
	graves, err := decodeGraveyard(body)
	_, found := graves.find(unit)
	return found, err
}

// Scramble makes a clinic's stored bytes unlike its plain ones, as encryption will.
func Scramble(c *Clinic) { c.seal = scrambler{} }

type scrambler struct{}

func (scrambler) seal(b []byte) ([]byte, error) {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i] ^ 0x5a
	}
	return append([]byte("sealed"), out...), nil
}

func (s scrambler) open(b []byte) ([]byte, error) {
	out, err := s.seal(b[len("sealed"):])
	return out[len("sealed"):], err
}

func (scrambler) transparent() bool { return false }
