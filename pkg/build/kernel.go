package build

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"slipway/pkg/build/oci"
	"slipway/pkg/build/spec"
	"slipway/pkg/build/tree"
	"slipway/pkg/build/yml"
	"slipway/pkg/bundle"
)

// Names of the kernel's files in the root tree.
const (
	KernelFile  = "boot/kernel"
	CmdlineFile = "boot/cmdline"
	UCodeFile   = "boot/ucode.cpio"
)

// kernelFile is a file of the kernel image that the machine is made of.
type kernelFile struct{ key, name string }

func kernelBinary(k yml.Kernel) kernelFile { return kernelFile{"binary", cmp.Or(k.Binary, "kernel")} }

// kernelModules is the tar of modules; its name is empty if none is wanted.
func kernelModules(k yml.Kernel) kernelFile {
	f := kernelFile{"tar", "kernel.tar"}
	if k.Tar != nil {
		f.name = *k.Tar
	}
	if f.name == "none" {
		f.name = ""
	}
	return f
}

// kernelUCode is the microcode; its name is empty if none is wanted.
func kernelUCode(k yml.Kernel) kernelFile {
	f := kernelFile{key: "ucode"}
	if k.UCode != nil {
		f.name = *k.UCode
	}
	return f
}

// in finds the file in the image; nil if it is not there.
func (f kernelFile) in(image *tree.Tree) *tree.Node {
	if n := image.Resolve(f.name); f.name != "" && n != nil && n.Inode != nil {
		return n
	}
	return nil
}

// missing is the fault that the file is not there.
func (f kernelFile) missing(image *tree.Tree, k yml.Kernel) yml.Fault {
	var names []string
	for _, n := range image.Nodes() {
		if n.Inode != nil && n.Parent.Parent == nil {
			names = append(names, n.Name)
		}
	}
	at := k.At.Child(f.key)
	if !k.At.Has(f.key) {
		at = k.At.Child("image")
	}
	fault := at.At("image %s has no file %q", k.Image, f.name).Near(f.name, names)
	if len(names) > 0 {
		fault = fault.Wants("one of %s", strings.Join(names, ", "))
	}
	return fault
}

// cmdlineLabel is a kernel image's: words that this kernel wants on its command line for
// containers to be held, with spaces between them.
const cmdlineLabel = bundle.Prefix + "cmdline"

// cmdline is the YAML's command line, and before it, as what follows -- is not the kernel's, the
// words of the kernel image's label for options that it does not set. Both lsm= and security=
// choose security modules: who gives one has chosen.
func cmdline(text string, image *oci.Image, h spec.Hardening) string {
	if image == nil || h == spec.HardeningNone {
		return text
	}
	given := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		key, _, _ := strings.Cut(word, "=")
		given[key] = true
	}
	given["lsm"] = given["lsm"] || given["security"]
	words := slices.DeleteFunc(strings.Fields(image.Config.Config.Labels[cmdlineLabel]), func(word string) bool {
		key, _, _ := strings.Cut(word, "=")
		return given[key]
	})
	return strings.Join(append(words, text), " ")
}

// addKernel puts kernel, command line and microcode into boot/, and lays the
// modules over the root. The checker has seen that the files are there; without
// microcode the machine boots all the same, so LinuxKit's tool goes without.
func (l *layout) addKernel() error {
	k := l.config.Kernel
	if k.Image == "" {
		return nil
	}
	image, err := l.images.Tree(l.ctx, k.Image)
	if err != nil {
		return err
	}
	origin := &tree.Origin{Image: l.sourceName(k.Image), Location: "kernel"}
	if err := l.root.MkdirAll("boot", origin); err != nil {
		return err
	}
	if err := l.putFile(CmdlineFile, tree.Text(cmdline(k.Cmdline, l.images.Get(k.Image), l.Hardening)), origin); err != nil {
		return err
	}
	if err := l.putKernel(kernelBinary(k).in(image), origin); err != nil {
		return err
	}
	if err := l.putNode(UCodeFile, kernelUCode(k).in(image), origin); err != nil {
		return err
	}
	modules := kernelModules(k)
	archive := modules.in(image)
	if archive == nil {
		return nil
	}
	l.root.Scratch = l.images.Get(k.Image).Scratch
	content := io.NewSectionReader(archive.Inode.Data, 0, archive.Inode.Size)
	if err := l.root.AddTar(content, origin, tree.DefaultLimits); err != nil {
		return fmt.Errorf("%s of image %s: %w", modules.name, k.Image, err)
	}
	return nil
}

func (l *layout) putKernel(n *tree.Node, origin *tree.Origin) error {
	if n == nil || !l.DecompressKernel {
		return l.putNode(KernelFile, n, origin)
	}
	if n.Inode.Size > maxKernel {
		return fmt.Errorf("decompress kernel of %s: %d MB are too many", origin.Image, n.Inode.Size>>20)
	}
	data, err := io.ReadAll(n.Inode.Open())
	if err == nil {
		data, err = decompressKernel(data)
	}
	if err != nil {
		return fmt.Errorf("decompress kernel of %s: %w", origin.Image, err)
	}
	plain := *n
	plain.Inode = tree.Text(string(data))
	return l.putNode(KernelFile, &plain, origin)
}

// putNode places a file of an image, if there is one, with the mode it has.
func (l *layout) putNode(path string, n *tree.Node, origin *tree.Origin) error {
	if n == nil {
		return nil
	}
	return l.root.Put(path, tree.Entry{Type: tar.TypeReg, Mode: n.Mode, ModTime: tree.Epoch, Inode: n.Inode, Origin: origin})
}
