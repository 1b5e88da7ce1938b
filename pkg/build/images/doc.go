// Package images makes images of recipes, with no Docker: those of the images/ directory, the
// kernel, runc, our own programs and the small ones around them, and people's own.
//
// A directory holds a recipe (image.yml) and the files it names. A
// recipe is a list of contents: files of a Debian package, a program of this
// repository, a program of a Go module, a kernel with chosen modules, directories,
// files, links. Contents are gathered in a Tree in memory, which becomes one
// layer of an OCI image in the local store, where `slipway build` finds it.
//
// An image is a function of its inputs and nothing else: times, owners and the
// order of entries are fixed, compilers are told to leave their directories out.
// The inputs (recipe, files, pinned versions, compilers) are hashed and the hash
// is kept beside the image in the store, so that an image is built again only
// when one of them has changed.
//
// In the flow: recipe.go and parse.go read, steps (debian.go, program.go, module.go,
// kernel.go, plain.go) gather, image.go packs, build.go decides and stores.
package images
