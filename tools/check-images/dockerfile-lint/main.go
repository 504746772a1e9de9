// Lints every target of the Dockerfile on standard input with BuildKit's own checks, and prints what it finds as JSON, one list for each target.
// Nothing is built and nothing fetched: of a base image only its platform matters here.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type problem struct {
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
	Line   int32  `json:"line"`
}

type verdict struct {
	Target   string    `json:"target"`
	Problems []problem `json:"problems"`
}

type anyBase struct{ platform ocispecs.Platform }

func (base anyBase) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config, err := json.Marshal(ocispecs.Image{Platform: base.platform})
	return ref, digest.FromBytes(config), config, err
}

type buildArgs map[string]string

func (args buildArgs) String() string { return fmt.Sprint(map[string]string(args)) }

func (args buildArgs) Set(given string) error {
	name, value, found := strings.Cut(given, "=")
	if !found || name == "" {
		return fmt.Errorf("%q is not <name>=<value>", given)
	}
	args[name] = value
	return nil
}

func main() {
	args := buildArgs{}
	flag.Var(args, "build-arg", "`<name>=<value>`, as docker build takes it")
	flag.Parse()
	if err := run(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args buildArgs, in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	verdicts := []verdict{}
	for _, target := range targetsOf(text) {
		found, err := lintTarget(text, target, args)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, verdict{Target: target, Problems: found})
	}
	return json.NewEncoder(out).Encode(verdicts)
}

// Each by its name, and at last all of them, which the empty name stands for. A file that cannot be read has no targets: linting all of it
// says why.
func targetsOf(text []byte) []string {
	names := []string{}
	if list, err := dockerfile2llb.ListTargets(context.Background(), text); err == nil {
		for _, target := range list.Targets {
			if target.Name != "" {
				names = append(names, target.Name)
			}
		}
	}
	return append(names, "")
}

func lintTarget(text []byte, target string, args buildArgs) ([]problem, error) {
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", text)
	// There is nowhere the text was read from, and the linter asks.
	source.Definition = &llb.Definition{}
	results, err := dockerfile2llb.DockerfileLint(context.Background(), text, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: args, Target: target, BuildPlatforms: []ocispecs.Platform{platform}},
		TargetPlatform: &platform,
		MetaResolver:   anyBase{platform},
		SourceMap:      source,
	})
	if err != nil {
		return nil, err
	}
	found := []problem{}
	for _, warning := range results.Warnings {
		found = append(found, problem{Rule: warning.RuleName, Detail: warning.Detail, Line: firstLine(warning)})
	}
	if results.Error != nil {
		found = append(found, problem{Rule: "BuildError", Detail: results.Error.Message})
	}
	return found, nil
}

func firstLine(warning lint.Warning) int32 {
	for _, place := range warning.Location.GetRanges() {
		return place.GetStart().GetLine()
	}
	return 0
}
