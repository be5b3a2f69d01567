package archtest

import (
	"bytes"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// composeFile is as much of the Compose format as docker-compose.yml uses; a key that is not here is an error, so that a misspelt
// one is found without Docker.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]struct{}       `yaml:"volumes"`
}

type composeService struct {
	Image       string              `yaml:"image"`
	Build       string              `yaml:"build"`
	Command     []string            `yaml:"command"`
	Environment map[string]string   `yaml:"environment"`
	Ports       []string            `yaml:"ports"`
	Volumes     []string            `yaml:"volumes"`
	Healthcheck *composeHealthcheck `yaml:"healthcheck"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Restart string `yaml:"restart"`
}

type composeHealthcheck struct {
	Test     []string `yaml:"test"`
	Interval string   `yaml:"interval"`
	Timeout  string   `yaml:"timeout"`
	Retries  int      `yaml:"retries"`
}

func compose(t *testing.T) composeFile {
	t.Helper()
	var parsed composeFile
	decoder := yaml.NewDecoder(bytes.NewReader(projectFile(t, "docker-compose.yml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&parsed))
	return parsed
}

func projectFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return content
}

// goList asks the go command about the module or one that it requires.
func goList(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-m", "-f"}, arguments...)...).CombinedOutput()
	require.NoError(t, err, string(output))
	return strings.TrimSpace(string(output))
}

func TestComposeStartsTheVersionsThatTheTestsRun(t *testing.T) {
	services := compose(t).Services
	require.Len(t, services, 3)

	natsVersion := strings.TrimPrefix(goList(t, "{{.Version}}", "github.com/nats-io/nats-server/v2"), "v")
	require.Equal(t, "nats:"+natsVersion+"-alpine", services["nats"].Image, "the nats-server that go.mod requires")

	// The oldest Postgres that scripts/test takes is the one that Compose starts.
	oldest := regexp.MustCompile(`(?m)^readonly postgres_oldest=(\d+)`).FindSubmatch(projectFile(t, "scripts/test"))
	require.NotNil(t, oldest)
	require.Regexp(t, `^postgres:`+string(oldest[1])+`\.\d+$`, services["postgres"].Image)

	require.Equal(t, ".", services["ledger"].Build)
	require.Empty(t, services["ledger"].Image)
}

func TestComposeWaitsForHealthyServersAndKeepsTheirData(t *testing.T) {
	file := compose(t)
	used := map[string]bool{}
	for name, service := range file.Services {
		require.NotEmpty(t, service.Volumes, name)
		for _, mount := range service.Volumes {
			volume, _, ok := strings.Cut(mount, ":")
			require.True(t, ok, mount)
			require.Contains(t, file.Volumes, volume)
			require.False(t, used[volume], "%s holds the data of one service", volume)
			used[volume] = true
		}
		if name == "ledger" {
			continue
		}
		require.NotNil(t, service.Healthcheck, name)
		require.Equal(t, "CMD", service.Healthcheck.Test[0], name)
		require.NotEmpty(t, service.Healthcheck.Interval, name)
		require.NotEmpty(t, service.Healthcheck.Timeout, name)
		require.Positive(t, service.Healthcheck.Retries, name)
		require.Equal(t, "service_healthy", file.Services["ledger"].DependsOn[name].Condition, name)
		require.Empty(t, service.Ports, "%s is reached by the ledger alone", name)
	}
	require.Len(t, used, len(file.Volumes), "every volume is used")
}

func TestComposeTellsTheLedgerWhereItsServersAre(t *testing.T) {
	services := compose(t).Services
	ledger, postgres, nats := services["ledger"], services["postgres"], services["nats"]

	dsn, err := url.Parse(ledger.Environment["LEDGER_POSTGRES"])
	require.NoError(t, err)
	password, _ := dsn.User.Password()
	require.Equal(t, "postgres:5432", dsn.Host)
	require.Equal(t, postgres.Environment, map[string]string{
		"POSTGRES_USER": dsn.User.Username(), "POSTGRES_PASSWORD": password, "POSTGRES_DB": strings.TrimPrefix(dsn.Path, "/"),
	})

	require.Equal(t, "nats://nats:4222", ledger.Environment["LEDGER_NATS"])
	require.Contains(t, nats.Command, "-js")
	store := slices.Index(nats.Command, "-sd")
	require.NotEqual(t, -1, store)
	require.Equal(t, []string{"nats-data:" + nats.Command[store+1]}, nats.Volumes, "the stream is kept in the volume")

	require.Equal(t, []string{"serve"}, ledger.Command)
	require.Equal(t, []string{"ledger-data:" + ledger.Environment["LEDGER_DATA"]}, ledger.Volumes)
	_, port, err := net.SplitHostPort(ledger.Environment["LEDGER_LISTEN"])
	require.NoError(t, err)
	require.Equal(t, []string{"127.0.0.1:" + port + ":" + port}, ledger.Ports)
}

func TestTheImageIsBuiltWithTheGoOfTheModuleAndServesWhatComposeMounts(t *testing.T) {
	dockerfile := string(projectFile(t, "Dockerfile"))
	version := strings.Split(goList(t, "{{.GoVersion}}"), ".")
	require.Contains(t, dockerfile, "FROM golang:"+version[0]+"."+version[1]+" AS build\n")
	require.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, dockerfile, "a number that is not root's, for a kernel without a user list")
	require.Contains(t, dockerfile, `ENTRYPOINT ["/ledger"]`)
	require.Contains(t, dockerfile, `CMD ["serve", "--data", "/data", "--listen", "0.0.0.0:8080"]`)
	require.Contains(t, dockerfile, "\nVOLUME "+compose(t).Services["ledger"].Environment["LEDGER_DATA"]+"\n")
}
