package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysAreMadeOnceAndForTheirOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	dir, err := openDataDir(path)
	require.NoError(t, err)
	operator, err := dir.operatorKey()
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{64}$", operator, "nothing that a command line takes for a flag")
	session, err := dir.sessionKey()
	require.NoError(t, err)
	require.NoError(t, dir.close())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(folderMode), info.Mode().Perm())
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.Len(t, entries, 3, "the two keys, the lock, and no draft")
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(secretMode), info.Mode().Perm(), entry.Name())
	}

	dir, err = openDataDir(path)
	require.NoError(t, err)
	again, err := dir.operatorKey()
	require.NoError(t, err)
	require.Equal(t, operator, again)
	sessionAgain, err := dir.sessionKey()
	require.NoError(t, err)
	require.Equal(t, session, sessionAgain)
	require.NoError(t, dir.close())
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "short": "secret\n", "two words": strings.Repeat("k", 40) + " " + strings.Repeat("k", 40)} {
		t.Run("operator key "+name, func(t *testing.T) {
			dir, err := openDataDir(t.TempDir())
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(dir.file(operatorKeyFile), []byte(content), secretMode))
			_, err = dir.operatorKey()
			require.ErrorContains(t, err, "must be one word of at least 32 characters")
			require.NoError(t, dir.close())
		})
	}
	for name, content := range map[string]string{
		"is not PEM":     "secret",
		"is not PKCS #8": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		t.Run("session key "+name, func(t *testing.T) {
			dir, err := openDataDir(t.TempDir())
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(dir.file(sessionKeyFile), []byte(content), secretMode))
			_, err = dir.sessionKey()
			require.ErrorContains(t, err, name)
			require.NoError(t, dir.close())
		})
	}
}
