package chain

// Disk is a file of records, as a test lets it fail.
type Disk = disk

// OnDisk has the chain's next files pass through wrap. Nothing may be under way.
func (c *Chain) OnDisk(wrap func(Disk) Disk) {
	c.create = func(path string) (disk, error) {
		file, err := newFile(path)
		if err != nil {
			return nil, err
		}
		return wrap(file), nil
	}
}
