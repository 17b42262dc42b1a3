# SPDX-License-Identifier: GPL-3.0-or-later
# Two commands matter: `make quickstart` and `make test`. Each does its own set-up; run as root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST_PACKAGES := git iproute2 nftables libnftables1 libseccomp2 strace busybox-static python3-pyroute2 zstd xz-utils kmod procps util-linux shellcheck docker-registry skopeo openssl openssh-server runc podman conmon apt-utils sshpass zsh fish btrfs-progs xfsprogs
# A program that makes hosts to test on (tests/hosts/run.py); without one that tier is left out.
export FLEET ?= $(abspath ../shared/fleet/fleet)
HOST_PACKAGES += $(if $(wildcard $(FLEET)),qemu-system-x86 mmdebstrap e2fsprogs)
RUN_TESTS := $(BIN)/python tools/run_tests.py

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build/collections
export ANSIBLE_LOCALHOST_WARNING := false
export ANSIBLE_INVENTORY_UNPARSED_WARNING := false
export ANSIBLE_CALLBACK_RESULT_FORMAT := yaml
export ANSIBLE_NOCOWS := true

.PHONY: help quickstart quickstart-clean test test-hosts lint types unit root targets hosts sanity collection base-archive host-image host-images host-packages docker-files clean

help:
	@sed -n 's/^## //p' Makefile

## make quickstart        a container with a published port on this machine, through a playbook; left running
quickstart: $(VENV)/.ansible collection
	$(BIN)/ansible-playbook cocker.engine.quickstart

## make quickstart-clean  removes all that quickstart made, except the packages and the kernel modules
quickstart-clean: $(VENV)/.ansible collection
	$(BIN)/ansible-playbook cocker.engine.quickstart_clean

## make test              every tier below, in order
test: $(VENV)/.test host-packages docker-files collection base-archive host-image
	$(RUN_TESTS)

## make lint              ruff                      make types    mypy --strict
## make unit              on every Python 3.9-3.13  make root     the engine on the real kernel, without Ansible
## make targets           through Ansible, by FQCN  make sanity   ansible-test sanity
lint types unit: $(VENV)/.test
	$(RUN_TESTS) $@

root: $(VENV)/.test host-packages docker-files
	$(RUN_TESTS) $@

sanity: $(VENV)/.test host-packages
	$(RUN_TESTS) $@

targets: $(VENV)/.test host-packages collection base-archive
	$(RUN_TESTS) $@

## make hosts             a virtual machine: quick start, again, reboot       make test-hosts   all that is tested on hosts
hosts: $(VENV)/.test host-packages collection host-image
	$(RUN_TESTS) $@

test-hosts: $(VENV)/.test host-packages collection host-images
	tests/box.sh $(BIN)/python tests/hosts/run.py --report .build/reports/test-hosts.xml

ifneq ($(wildcard tools/bench.py),)
.PHONY: bench
## make bench             how fast, side by side with docker and podman where they are installed (docs/BENCHMARKS.md)
bench: $(VENV)/.test host-packages
	$(BIN)/python tools/bench.py
endif

collection: $(VENV)/.ansible
	@tools/build_collection.sh $(BIN)/ansible-galaxy .build/collections

# The targets have no network; the root that they import is built before, once.
base-archive: $(VENV)/.ansible collection
	@$(BIN)/ansible-playbook tests/integration/base_archive.yml -e base_image_cache=$(CURDIR)/.build/base_image >.build/base_archive.log \
		|| { cat .build/base_archive.log; exit 1; }

# Made once; the hosts' tests have no network either.
host-image: host-packages
	$(if $(wildcard $(FLEET)),@$(FLEET) build >/dev/null)

# Beside them: the newer release, docker, and the collection for docker.
export FLEET_DOCKER_CACHE ?= $(HOME)/.cache/fleet-docker
export FLEET_DOCKER_COLLECTIONS ?= $(CURDIR)/.build/docker-collections
DOCKER_PACKAGES := docker.io,python3-requests,apparmor
host-images: host-image $(VENV)/.ansible
	$(if $(wildcard $(FLEET)),@$(FLEET) build trixie >/dev/null)
	$(if $(wildcard $(FLEET)),@FLEET_CACHE=$(FLEET_DOCKER_CACHE) FLEET_PACKAGES=$(DOCKER_PACKAGES) $(FLEET) build bookworm >/dev/null)
	@tools/docker_collections.sh $(BIN)/python $(FLEET_DOCKER_COLLECTIONS)

host-packages:
	@tools/host_packages.sh $(HOST_PACKAGES)

docker-files: host-packages
	@tools/docker_files.sh .build/docker

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; name another one: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ansible: tools/requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
	@touch $@

$(VENV)/.test: tests/requirements.txt tools/requirements-test.txt $(VENV)/.ansible
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tools/requirements-test.txt
	@touch $@

## make clean             removes what make built here (.venv, .build); no container is touched
clean:
	rm -rf $(VENV) .build
