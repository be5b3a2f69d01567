package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// What lies in a ledger's folder.
const (
	operatorKeyFile = "operator.key" // bearer key of the operator, in hex
	sessionKeyFile  = "session.key"  // Ed25519 key that signs log-ins, PKCS #8 in PEM
	databaseFile    = "ledger.db"    // SQLite, unless the ledger is on Postgres
	brokerFolder    = "nats"         // of the NATS server inside, unless the broker is another one
	lockFile        = "ledger.lock"  // held by the server, with its process id
)

// Who owns a ledger's folder reads it, and nobody else: it holds keys and names natural persons.
const (
	folderMode = 0o700
	secretMode = 0o600
)

// minKeyLength is how many characters an operator's key has at least. One that the ledger makes has 64.
const minKeyLength = 32

// dataDir is a ledger's folder, held by this process alone until it is closed.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir makes the folder where there is none, and takes it for this process.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, folderMode); err != nil {
		return nil, fmt.Errorf("cannot use the folder %s: %w", path, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, secretMode)
	if err != nil {
		return nil, fmt.Errorf("cannot use the folder %s: %w", path, err)
	}
	// The operating system drops the lock with the process, however that ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = inUse(path, lock)
		}
		return nil, errors.Join(err, lock.Close())
	}
	d := &dataDir{path: path, lock: lock}
	if err := d.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot use the folder %s: %w", path, err), d.close())
	}
	return d, nil
}

// inUse says which process holds the folder.
func inUse(path string, lock io.Reader) error {
	pid, err := io.ReadAll(io.LimitReader(lock, 32))
	if err != nil || len(pid) == 0 {
		pid = []byte("unknown")
	}
	return fmt.Errorf("another ledger serves %s (pid %s)", path, strings.TrimSpace(string(pid)))
}

// sign writes down which process holds the folder.
func (d *dataDir) sign() error {
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// close gives the folder up. The lock's file stays: whoever removed it could let in two.
func (d *dataDir) close() error { return d.lock.Close() }

func (d *dataDir) file(name string) string { return filepath.Join(d.path, name) }

// operatorKey reads the operator's key, and makes one at the first start: 32 random bytes in hex, since base64url may begin with a dash,
// which --key would take for a flag.
func (d *dataDir) operatorKey() (string, error) {
	err := createOnce(d.file(operatorKeyFile), func() ([]byte, error) {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(key) + "\n"), nil
	})
	if err != nil {
		return "", fmt.Errorf("make the operator's key: %w", err)
	}
	return readOperatorKey(d.path)
}

// readOperatorKey reads the operator's key of a folder.
func readOperatorKey(folder string) (string, error) {
	content, err := os.ReadFile(filepath.Join(folder, operatorKeyFile))
	if err != nil {
		return "", fmt.Errorf("read the operator's key: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if len(key) < minKeyLength || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("the operator's key in %s must be one word of at least %d characters", filepath.Join(folder, operatorKeyFile), minKeyLength)
	}
	return key, nil
}

// sessionKey reads the key that signs log-ins, and makes one at the first start.
func (d *dataDir) sessionKey() (ed25519.PrivateKey, error) {
	path := d.file(sessionKeyFile)
	err := createOnce(path, func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return nil, fmt.Errorf("make the session key: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the session key: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("the session key in %s is not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the session key in %s is not PKCS #8: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the session key in %s is not an Ed25519 key", path)
	}
	return key, nil
}

// createOnce writes a secret file that does not exist yet: all of it, durably, or nothing.
func createOnce(path string, content func() ([]byte, error)) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	secret, err := content()
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-") // readable by its owner alone
	if err != nil {
		return err
	}
	_, err = draft.Write(secret)
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a folder's list of files durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
