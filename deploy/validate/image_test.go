package validate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	containerfile = "deploy/image/Containerfile"
	imageUser     = "65532:65532"
)

// buildArguments are how every image's program is built.
var buildArguments = []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// engine is buildah without a daemon, with a store of the test's own.
type engine struct {
	t      *testing.T
	folder string
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	if _, err := exec.LookPath("buildah"); err != nil || os.Geteuid() != 0 {
		if os.Getenv("TANDEM_CI") != "" {
			t.Fatalf("buildah and root are needed: %v", err)
		}
		t.Skipf("buildah and root are needed: %v", err)
	}
	return &engine{t: t, folder: t.TempDir()}
}

func (e *engine) run(arguments ...string) string {
	e.t.Helper()
	command := exec.Command("buildah", append([]string{
		"--root", filepath.Join(e.folder, "root"), "--runroot", filepath.Join(e.folder, "run"), "--storage-driver", "vfs"}, arguments...)...)
	command.Dir = root
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		e.t.Fatalf("buildah %v: %v\n%s%s", arguments, err, stdout.String(), stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// goImage stands for the image with the Go toolchain, which a test does not
// fetch: it is empty, and this machine's toolchain and caches are mounted.
func (e *engine) goImage() (mounts []string) {
	e.t.Helper()
	empty := filepath.Join(e.folder, "empty")
	certificates := filepath.Join(e.folder, "certificates.crt")
	if err := errors.Join(os.Mkdir(empty, 0o755), os.WriteFile(certificates, systemCertificates(e.t), 0o644)); err != nil {
		e.t.Fatal(err)
	}
	container := e.run("from", "scratch")
	e.run("copy", container, empty, "/tmp")
	e.run("copy", container, certificates, "/etc/ssl/certs/ca-certificates.crt")
	e.run("config", "--env", "GOPATH=/go", "--env", "GOCACHE=/root/.cache/go-build", container)
	e.run("commit", "--rm", container, "localhost/go")
	for variable, target := range map[string]string{"GOROOT": "/usr/local/go", "GOMODCACHE": "/go/pkg/mod", "GOCACHE": "/root/.cache/go-build"} {
		folder, err := exec.Command("go", "env", variable).Output()
		if err != nil {
			e.t.Fatal(err)
		}
		mounts = append(mounts, "--volume", strings.TrimSpace(string(folder))+":"+target)
	}
	return mounts
}

func systemCertificates(t *testing.T) []byte {
	t.Helper()
	for _, path := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if text, err := os.ReadFile(path); err == nil {
			return text
		}
	}
	t.Fatal("this machine has no root certificates")
	return nil
}

// image is what was built.
type image struct {
	digest string // of the configuration, which names all content
	config struct {
		User         string
		Env          []string
		Entrypoint   []string
		ExposedPorts map[string]struct{}
		Labels       map[string]string
		StopSignal   string
	}
	files map[string][]byte
	size  int // bytes in a registry
}

// inspect reads an image from the archive that would be pushed.
func (e *engine) inspect(name string) image {
	e.t.Helper()
	archive := filepath.Join(e.t.TempDir(), "image.tar")
	e.run("push", name, "oci-archive:"+archive)
	text, err := os.ReadFile(archive)
	if err != nil {
		e.t.Fatal(err)
	}
	blobs := untar(e.t, bytes.NewReader(text))
	blob := func(digest string) []byte { return blobs["blobs/"+strings.Replace(digest, ":", "/", 1)] }
	type descriptor struct{ Digest string }
	var index struct{ Manifests []descriptor }
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	i := image{files: map[string][]byte{}, size: len(text)}
	err = errors.Join(json.Unmarshal(blobs["index.json"], &index), json.Unmarshal(blob(index.Manifests[0].Digest), &manifest))
	if err != nil {
		e.t.Fatal(err)
	}
	i.digest = manifest.Config.Digest
	var config struct{ Config json.RawMessage }
	if err := errors.Join(json.Unmarshal(blob(i.digest), &config), json.Unmarshal(config.Config, &i.config)); err != nil {
		e.t.Fatal(err)
	}
	for _, layer := range manifest.Layers {
		unzipped, err := gzip.NewReader(bytes.NewReader(blob(layer.Digest)))
		if err != nil {
			e.t.Fatal(err)
		}
		for name, content := range untar(e.t, unzipped) {
			i.files[name] = content
		}
	}
	return i
}

// untar returns the content of what is no directory.
func untar(t *testing.T, from io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(from); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImageHoldsOneStaticProgram(t *testing.T) {
	e := newEngine(t)
	build := append([]string{"build", "--isolation", "chroot", "--pull-never", "--file", containerfile, "--timestamp", "0",
		"--build-arg", "GO_IMAGE=localhost/go", "--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc"}, e.goImage()...)
	e.run(append(build, "--tag", "chat:first", ".")...)
	e.run(append(build, "--tag", "chat:second", ".")...)
	got := e.inspect("chat:first")
	if again := e.inspect("chat:second"); again.digest != got.digest {
		t.Errorf("built again it is %s and not %s", again.digest, got.digest)
	}

	var names []string
	for name := range got.files {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"chat", "etc/ssl/certs/ca-certificates.crt"}) {
		t.Fatalf("it has the files %q", names)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(got.files["etc/ssl/certs/ca-certificates.crt"]) {
		t.Error("it has no root certificates")
	}
	static(t, got.files["chat"])
	outside, err := os.ReadFile(program(t))
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(outside) != sha256.Sum256(got.files["chat"]) {
		t.Error("the same sources and toolchain make another program outside of the image")
	}

	config := got.config
	if config.User != imageUser {
		t.Errorf("it runs as %q", config.User)
	}
	if !slices.Equal(config.Entrypoint, []string{"/chat"}) || config.StopSignal != "SIGTERM" {
		t.Errorf("it runs %q, and is stopped by %q", config.Entrypoint, config.StopSignal)
	}
	for _, want := range []string{"CHAT_ADDR=:8080", "CHAT_ADMIN=:8081"} {
		if !slices.Contains(config.Env, want) {
			t.Errorf("%s is missing in %q", want, config.Env)
		}
	}
	if len(config.Env) != 3 { // PATH is the third
		t.Errorf("it brings the variables %q", config.Env)
	}
	for _, port := range []string{"8080/tcp", "8081/tcp"} {
		if _, ok := config.ExposedPorts[port]; !ok {
			t.Errorf("%s is not exposed", port)
		}
	}
	for label, want := range map[string]string{"version": "1.2.3", "revision": "abc", "title": "chat", "licenses": "MIT"} {
		if value := config.Labels["org.opencontainers.image."+label]; value != want {
			t.Errorf("the label %s is %q", label, value)
		}
	}
	t.Logf("the image has %d bytes in a registry, the program %d", got.size, len(got.files["chat"]))
	if want := fmt.Sprintf("has %d MB in a registry", (got.size+500_000)/1_000_000); !strings.Contains(string(read(t, "..", "README.md")), want) {
		t.Errorf("deploy/README.md does not say that it %s", want)
	}
}

// static fails for a program that needs anything beside a kernel.
func static(t *testing.T, text []byte) {
	t.Helper()
	program, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range program.Progs {
		if header.Type == elf.PT_INTERP || header.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is not static: it has %v", header.Type)
		}
	}
	if libraries, _ := program.ImportedLibraries(); len(libraries) > 0 { // an error means none
		t.Errorf("the program needs %q", libraries)
	}
}

// The two images are built by the same command.
func TestKoBuildsTheSameProgram(t *testing.T) {
	var config struct {
		Builds []struct {
			ID, Main            string
			Env, Flags, Ldflags []string
		}
	}
	if err := yaml.UnmarshalStrict(read(t, "../image/.ko.yaml"), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Builds) != 1 {
		t.Fatalf("%d builds", len(config.Builds))
	}
	build := config.Builds[0]
	got := append(append([]string{"build"}, build.Flags...), "-ldflags="+strings.Join(build.Ldflags, " "))
	if !slices.Equal(got, buildArguments) || !slices.Equal(build.Env, []string{"CGO_ENABLED=0"}) || build.Main != "./examples/chat" {
		t.Errorf("ko runs go %q for %s with %q", got, build.Main, build.Env)
	}
	var quoted []string
	for _, argument := range buildArguments {
		quoted = append(quoted, `"`+argument+`"`)
	}
	text := string(read(t, root, containerfile))
	for _, want := range []string{strings.Join(quoted, ", "), `"./examples/chat"]`, "CGO_ENABLED=0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the Containerfile has no %s", want)
		}
	}
}

// The toolchain of the image is one that the module accepts.
func TestImageIsBuiltByTheToolchainOfTheModule(t *testing.T) {
	_, after, _ := strings.Cut(string(read(t, root, containerfile)), "ARG GO_IMAGE=golang:")
	version, _, _ := strings.Cut(after, "\n")
	_, after, _ = strings.Cut(string(read(t, root, "go.mod")), "\ngo ")
	needs, _, _ := strings.Cut(after, "\n")
	if series := needs[:strings.LastIndex(needs, ".")]; !strings.HasPrefix(version, series+".") {
		t.Errorf("the image is built by Go %s, the module says %s, and this is %s", version, needs, runtime.Version())
	}
}
