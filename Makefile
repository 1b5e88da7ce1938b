# Slipway: build, boot and test. `make help` lists the targets.

GO       ?= go
BIN      := bin
SLIPWAY  := $(BIN)/slipway
IMAGE    := build/demo$(ARCH:%=-%)
# ARCH=arm64 makes images, the demo and its machine for the other architecture.
PLATFORM := $(ARCH:%=--platform linux/%)
GUESTENV := CGO_ENABLED=0 GOOS=linux
LDFLAGS  := -s -w
# Commit and tag are noted in the program, wherever git can tell them.
BUILDVCS := -buildvcs=$(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)

# Packages of Debian 12 beside Go, git and make; commands that tell whether they are there.
PACKAGES := qemu-system-x86 qemu-system-arm squashfs-tools kmod gcc libc6-dev libseccomp-dev pkg-config busybox-static e2fsprogs iproute2 shellcheck ovmf qemu-utils qemu-efi-aarch64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross zstd docker-registry crun rpm
COMMANDS := qemu-system-x86_64 qemu-system-aarch64 mksquashfs depmod gcc pkg-config busybox mkfs.ext4 ip shellcheck qemu-img aarch64-linux-gnu-gcc pzstd docker-registry crun rpm
FILES    := /usr/include/seccomp.h /usr/share/OVMF/OVMF_CODE.fd /usr/share/AAVMF/AAVMF_CODE.fd /usr/aarch64-linux-gnu/lib/libc.a

# Tests that mount, and runc, need root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E env PATH="$$PATH" HOME="$$HOME")
# The release that go.mod names, also where Go was told not to fetch one by itself.
GOTOOLCHAIN ?= $(shell sed -n 's/^toolchain //p' go.mod)+auto
export GOTOOLCHAIN

# The list of known faults is a module too; VULNDB=latest takes today's.
VULN     := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB   ?= v0.0.0-20261105234957-e22db6528018
LICENSES := github.com/google/go-licenses@v1.6.0
ALLOWED  := Apache-2.0,BSD-2-Clause,BSD-3-Clause,MIT

# Packs releases: run, never linked.
NFPM := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
PREFIX ?= /usr/local

LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.DEFAULT_GOAL := help
.PHONY: help run shell image images images-arm64 images-examples setup test test-unit test-vm install dist soak fuzz lint audit security bench bench-build chart stats clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: image ## boot the demo: a console on a terminal, else boot, report and power off
	@if [ -t 0 ] && [ -t 1 ]; then $(SLIPWAY) run $(IMAGE); else $(SLIPWAY) run --report --timeout 10m $(IMAGE); fi

shell: image ## boot the demo to a prompt in the VM
	$(SLIPWAY) run $(IMAGE)

image: images ## build the demo image from linuxkit.yml
	$(SLIPWAY) build $(PLATFORM) --dir $(dir $(IMAGE)) --name $(notdir $(IMAGE)) linuxkit.yml

images: $(SLIPWAY) ## build our own images into the local store
	$(SLIPWAY) images build $(PLATFORM)

# What the demo takes; the host's own images are there for all other tests.
images-arm64: $(SLIPWAY)
	$(SLIPWAY) images build --platform linux/arm64 kernel init runc crun busybox dhcp getty efi-stub

# What the machines of examples/ take beside.
images-examples: $(SLIPWAY)
	$(SLIPWAY) images build $(PLATFORM) $(patsubst %/image.yml,--recipe %,$(wildcard examples/recipes/*/image.yml))

$(SLIPWAY): setup FORCE
	@mkdir -p $(BIN)
	$(GO) build -trimpath $(BUILDVCS) -o $@ ./cmd/slipway

.PHONY: FORCE
FORCE:

setup: ## install what is missing (Debian, root or sudo); elsewhere say what to install
	@missing=; for c in $(COMMANDS); do PATH="$$PATH:/usr/sbin:/sbin" command -v $$c >/dev/null || missing="$$missing $$c"; done; \
	for f in $(FILES); do [ -f $$f ] || missing="$$missing $$f"; done; \
	[ -z "$$missing" ] && exit 0; \
	echo "missing:$$missing"; \
	if command -v apt-get >/dev/null; then \
	  as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	  command -v docker-registry >/dev/null || $$as systemctl --quiet mask docker-registry 2>/dev/null; : tests start their own, no service is wanted; \
	  $$as apt-get update -q && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(PACKAGES); \
	else \
	  echo "install what Debian calls: $(PACKAGES)"; exit 1; \
	fi

test: test-unit test-vm ## run all tests: unit, root, runc, whole VM

# The tests that need runc take the one that our image has.
$(BIN)/runc: images
	@printf 'init: [slipway/runc:v0.1]\n' | $(SLIPWAY) build --format tar -o - - 2>/dev/null | tar -x --warning=no-unknown-keyword -C $(BIN) --strip-components=2 usr/bin/runc

# These compute much. What of it meets in goroutines has tests of its own; here the race detector would take ten times as long.
SINGLE := ./pkg/build/disk/TestESPSize ./pkg/build/images/TestDebianImages ./pkg/service/state/TestGeneratedLives \
  ./pkg/service/state/TestRandomGraphsComeUpAndGoDown ./pkg/timeline/TestTextsHaveRoom
space  := $() $()
SINGLE_NAMES := ^($(subst $(space),|,$(strip $(notdir $(SINGLE)))))$$

# A program with the race detector sleeps for a second before it exits, and many tests run their own again. Nobody
# debugs what is linked here, make lint has go vet, and what slipway is compiled of is not compiled once more.
TEST := -trimpath -vet=off -ldflags=-w
UNIT := $(TEST) -timeout 20m
test-unit: images $(BIN)/runc ## run the tests that need no VM (as root, through sudo if need be)
	$(SUDO) env SLIPWAY_RUNC=$(CURDIR)/$(BIN)/runc GORACE=atexit_sleep_ms=0 $(GO) test $(UNIT) -race -skip '$(SINGLE_NAMES)' . ./pkg/... ./cmd/...
	$(SUDO) $(GO) test $(UNIT) -run '$(SINGLE_NAMES)' $(sort $(dir $(SINGLE)))
	$(SUDO) env SLIPWAY_RUNC=$$(command -v crun) $(GO) test $(UNIT) -run '$(CRUNTESTS)' ./pkg/container

# What of the containers' life depends on the runtime.
CRUNTESTS := Runtime|Stale|Failure|Faults|Starter|Kills|Exec|Mutate|Environment|Bind|OddBundle|Layouts|Shared

# Machines that run side by side: each has a processor, waits for two fifths of its time, and takes up to a gigabyte.
MACHINES ?= $(shell awk -v most=$$(($$(nproc) * 2)) '/^MemAvailable:/ { n = int($$2 / 1048576); print n < 1 ? 1 : n < most ? n : most }' /proc/meminfo)
# ENGINE=crun, or runc, boots all cases with it; else each has what its linuxkit.yml says.
test-vm: images images-arm64 images-examples $(BIN)/runc ## boot a VM for every case in test/cases; the soak, in short
	@$(SUDO) rm -rf build/test/stood-still
	$(SUDO) env SLIPWAY_ENGINE=$(ENGINE) SLIPWAY_RUNC=$(CURDIR)/$(BIN)/runc $(GO) test $(TEST) -timeout 3h -parallel $(MACHINES) ./test/...
	@for f in build/test/stood-still/*; do [ ! -e "$$f" ] || echo "booted once more, as the emulated kernel stood still: $$f"; done

# SOAK='-parts cuts,runc -count 50 -seed 1' chooses; bin/soak -help lists what there is.
soak: images $(BIN)/runc ## hours of boots, power cuts, kills, hostile bundles, sick disks; adds to docs/soak.md
	$(GO) build -o $(BIN)/soak ./test/soak
	$(SUDO) $(BIN)/soak -runc $(BIN)/runc -o docs/soak.md $(SOAK)

# Minimising an input is bounded, or it takes all of the time: archives are large.
FUZZTIME ?= 20s
FUZZ     ?= .
fuzz: ## run every fuzz target for FUZZTIME (20s; 10000000x is executions), or those that match FUZZ
	@$(GO) list ./... | while read -r p; do \
	  $(GO) test -list '^Fuzz' $$p | grep '^Fuzz' | grep -E '$(FUZZ)' | while read -r f; do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(FUZZFLAGS) $$p || exit 1; \
	  done || exit 1; \
	done

lint: setup ## golangci-lint (.golangci.yml), go vet, shellcheck, and whether slipway builds for macOS
	$(GO) vet ./...
	$(GO) run $(LINT) run ./...
	GOOS=darwin $(GO) build -o /dev/null ./cmd/slipway
	@git ls-files images test packaging | xargs -r grep -lE '^#!/bin/(ba)?sh' | xargs -r shellcheck

audit: ## known faults in what is used, checksums of modules, licences
	$(GO) mod verify
	$(GO) run $(VULN) -db file://$$($(GO) mod download -json golang.org/x/vulndb@$(VULNDB) | sed -n 's/.*"Dir": "\(.*\)",/\1/p')/data/osv ./...
	$(GO) run $(LICENSES) check --allowed_licenses=$(ALLOWED) ./cmd/...

# BENCH='-parts services,crash -rounds 1' chooses; bin/bench -help lists what there is. A thousand services take long, and
# are measured by name only: BENCH='-parts growth -instructions -only crun'.
bench: images ## measure boots, memory, idleness, crash loops and builds; writes docs/bench.md
	$(SLIPWAY) images build containerd testinit
	$(GO) build -o $(BIN)/bench ./test/bench
	$(SUDO) $(BIN)/bench -slipway $(SLIPWAY) -o docs/bench.md $(BENCH)
	$(MAKE) bench-build

bench-build: images ## measure builds and initrds; writes docs/bench-build.md
	$(GO) build -o $(BIN)/bench-build ./test/bench/build
	$(SUDO) $(BIN)/bench-build -slipway $(SLIPWAY) -o docs/bench-build.md

# Two machines; what is expected of them is what they do.
security: images ## try all attacks anew and renew the table of docs/security.md
	$(SUDO) env RENEW=1 $(GO) test -count 1 -timeout 30m -run 'TestCases/^probe' ./test
	$(GO) run ./test/probe/table -w

chart: image ## boot the demo and draw its boot anew: docs/boot.svg
	$(SLIPWAY) run --report --timeout 10m --boot-chart docs/boot.svg $(IMAGE) </dev/null

stats: ## packages, lines, longest file and function, wrapped errors, tests against code
	@$(GO) run ./test/stats

install: ## the program, completions and manual pages, below DESTDIR and PREFIX (/usr/local)
	$(GO) build -trimpath $(BUILDVCS) -o $(BIN)/slipway ./cmd/slipway
	packaging/install $(BIN)/slipway $(DESTDIR)$(PREFIX)

dist: setup ## all that a release consists of: build/dist
	env GO=$(GO) NFPM=$(NFPM) BUILDVCS=$(BUILDVCS) packaging/dist build/dist

clean: ## remove what was built here (the image store stays)
	rm -rf $(BIN) build
