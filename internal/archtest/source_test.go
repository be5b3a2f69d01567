package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the project's folder, seen from this package's.
const root = "../.."

// sourceFile is one parsed Go file of the project.
type sourceFile struct {
	path string // from the project's folder, with slashes
	set  *token.FileSet
	file *ast.File
}

func (s sourceFile) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// sourceFiles parses every Go file of the project.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	var found []sourceFile
	project := os.DirFS(root)
	err := fs.WalkDir(project, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		content, err := fs.ReadFile(project, path)
		if err != nil {
			return err
		}
		found = append(found, parseSource(t, path, string(content)))
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

func parseSource(t *testing.T, path, content string) sourceFile {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, content, parser.SkipObjectResolution)
	require.NoError(t, err)
	return sourceFile{path: path, set: set, file: file}
}

// uses lists the places where a file names something of an imported package, such as time.Sleep, as path:line: package.Name.
func (s sourceFile) uses(importPath string, forbidden func(name string) bool) []string {
	local := ""
	for _, spec := range s.file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err != nil || path != importPath {
			continue
		}
		local = importPath[strings.LastIndex(importPath, "/")+1:]
		if spec.Name != nil {
			local = spec.Name.Name
		}
	}
	if local == "." {
		return []string{s.path + ": imports " + importPath + " with a dot"}
	}
	var found []string
	ast.Inspect(s.file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if name, ok := selector.X.(*ast.Ident); ok && name.Name == local && forbidden(selector.Sel.Name) {
			line := strconv.Itoa(s.set.Position(selector.Pos()).Line)
			found = append(found, s.path+":"+line+": "+importPath+"."+selector.Sel.Name)
		}
		return true
	})
	return found
}

// clockNames are what reads or waits for the clock in package time.
var clockNames = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// impurities lists where a file of the domain asks the clock, or makes an id at random rather than from what it was given.
func (s sourceFile) impurities() []string {
	clock := s.uses("time", func(name string) bool { return slices.Contains(clockNames, name) })
	ids := s.uses("github.com/google/uuid", func(name string) bool {
		derived := name == "NewSHA1" || name == "NewMD5" || name == "NewHash"
		return strings.HasPrefix(name, "New") && !derived || name == "Must"
	})
	return append(clock, ids...)
}

// sleeps lists where a file waits for time to pass rather than for what it needs.
func (s sourceFile) sleeps() []string {
	return s.uses("time", func(name string) bool { return name == "Sleep" })
}

// inits lists a file's init functions: what they do happens far from whoever reads or tests the code.
func (s sourceFile) inits() []string {
	var found []string
	for _, declaration := range s.file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if ok && function.Recv == nil && function.Name.Name == "init" && !s.isTest() {
			found = append(found, s.path+":"+strconv.Itoa(s.set.Position(function.Pos()).Line)+": init")
		}
	}
	return found
}

func TestTheDomainKnowsNoClockAndNoChance(t *testing.T) {
	seen := 0
	for _, source := range sourceFiles(t) {
		if strings.HasPrefix(source.path, "domain/") && !source.isTest() {
			seen++
			require.Empty(t, source.impurities())
		}
	}
	require.NotZero(t, seen, "the domain's files were found")
}

func TestNothingSleepsOrRunsAtImport(t *testing.T) {
	for _, source := range sourceFiles(t) {
		require.Empty(t, source.sleeps())
		require.Empty(t, source.inits())
	}
}

func TestTheSourceRulesCatchWhatTheyForbid(t *testing.T) {
	source := parseSource(t, "domain/x.go", `package domain

import (
	clock "time"

	"github.com/google/uuid"
)

func init() {}

type T struct{}

func (T) init() {}

var now = clock.Now

func f() (uuid.UUID, uuid.UUID) {
	clock.Sleep(clock.Second)
	return uuid.New(), uuid.NewSHA1(uuid.Nil, nil)
}
`)
	require.Equal(t, []string{"domain/x.go:15: time.Now", "domain/x.go:18: time.Sleep", "domain/x.go:19: github.com/google/uuid.New"},
		source.impurities())
	require.Equal(t, []string{"domain/x.go:18: time.Sleep"}, source.sleeps())
	require.Equal(t, []string{"domain/x.go:9: init"}, source.inits())

	dotted := parseSource(t, "x_test.go", "package x\n\nimport . \"time\"\n\nfunc init() { Sleep(1) }\n")
	require.Equal(t, []string{"x_test.go: imports time with a dot"}, dotted.sleeps())
	require.Empty(t, dotted.inits(), "a test may have one")
}
