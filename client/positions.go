package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Position is how far a service has come: the last event that it has dealt with, and of which incarnation of the log. The zero
// Position is before the first event of any.
type Position struct {
	Epoch    string `json:"epoch"`
	Sequence int64  `json:"sequence"`
}

// Positions keeps a service's position. A service with a database keeps it there, best in the transaction in which a handler writes:
// then each event counts exactly once.
type Positions interface {
	// Load gives the position saved last, and the zero Position when there is none.
	Load(ctx context.Context) (Position, error)
	// Save keeps a position. It is called for every event that was handled, before the event is acknowledged.
	Save(ctx context.Context, position Position) error
}

// FilePositions keeps the position of one service in a file of this path.
type FilePositions string

// Load reads the file.
func (f FilePositions) Load(context.Context) (Position, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, err
	}
	var position Position
	if err := json.Unmarshal(text, &position); err != nil || position.Epoch == "" || position.Sequence < 1 {
		return Position{}, fmt.Errorf("client: %s does not hold a position: %.100q", string(f), text)
	}
	return position, nil
}

// Save replaces the file by a new one that is complete and on the disk.
func (f FilePositions) Save(_ context.Context, position Position) (err error) {
	text, err := json.Marshal(position)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the first failure is the one to tell
		}
	}()
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), string(f))
}
