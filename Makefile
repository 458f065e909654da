# make                      builds the programs in release
# make install              PREFIX=/usr/local, DESTDIR= (for packages)
#   WITH_DOCKER_NAME=1      also the name `docker` and the socket /run/docker.sock; refused where a Docker is
# make uninstall            takes away what install put there (with the same PREFIX and DESTDIR)

PREFIX ?= /usr/local
DESTDIR ?=
WITH_DOCKER_NAME ?=

BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man/man1
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

PACKAGES = lighter lighter-shim lighter-runtime
PROGRAMS = lighter lighterd lighter-shim lighter-runtime
BUILT = $(or $(CARGO_TARGET_DIR),target)/$(shell rustc -vV | sed -n 's/^host: //p')/release
SOURCES = Cargo.toml Cargo.lock $(shell find bin crates -type f)
# Only where this machine itself is installed to, and systemd runs it.
LIVE = [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]

.PHONY: all build install install-docker-name uninstall

all: build

build:
	cargo build --release --locked $(addprefix -p ,$(PACKAGES))

# What is up to date is not built again: `make && sudo make install` needs no cargo for root.
install: $(addprefix $(BUILT)/,$(PROGRAMS)) $(if $(filter 1,$(WITH_DOCKER_NAME)),install-docker-name)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(MANDIR) \
		$(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	install -m 755 $(addprefix $(BUILT)/,$(PROGRAMS)) $(DESTDIR)$(BINDIR)
	sed 's|@BINDIR@|$(BINDIR)|' packaging/lighter.service.in > $(DESTDIR)$(UNITDIR)/lighter.service
	chmod 644 $(DESTDIR)$(UNITDIR)/lighter.service
	install -m 644 packaging/lighter.socket $(DESTDIR)$(UNITDIR)/lighter.socket
	install -m 644 packaging/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/lighter.conf
	$(BUILT)/lighter completion bash > $(DESTDIR)$(BASHDIR)/lighter
	$(BUILT)/lighter completion zsh > $(DESTDIR)$(ZSHDIR)/_lighter
	$(BUILT)/lighter completion fish > $(DESTDIR)$(FISHDIR)/lighter.fish
	$(BUILT)/lighter __man $(DESTDIR)$(MANDIR)
	if $(LIVE); then systemd-sysusers; systemctl daemon-reload; \
		echo "Start it with: systemctl enable --now lighter.socket lighter.service"; fi

install-docker-name: $(BUILT)/lighter
	packaging/refuse-docker.sh "$(DESTDIR)" "$(BINDIR)"
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR)
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	ln -sf lighter $(DESTDIR)$(BINDIR)/docker
	$(BUILT)/lighter completion bash | sed 's/lighter/docker/g' > $(DESTDIR)$(BASHDIR)/docker
	$(BUILT)/lighter completion zsh | sed 's/lighter/docker/g' > $(DESTDIR)$(ZSHDIR)/_docker
	$(BUILT)/lighter completion fish | sed 's/lighter/docker/g' > $(DESTDIR)$(FISHDIR)/docker.fish
	install -m 644 packaging/lighter-docker.socket $(DESTDIR)$(UNITDIR)/lighter-docker.socket
	if $(LIVE); then echo "And before the service: systemctl enable --now lighter-docker.socket"; fi

$(addprefix $(BUILT)/,$(PROGRAMS)) &: $(SOURCES)
	$(MAKE) build
	touch $(addprefix $(BUILT)/,$(PROGRAMS))

uninstall:
	if $(LIVE); then systemctl disable --now lighter-docker.socket lighter.socket lighter.service 2>/dev/null || true; fi
	[ "$$(readlink $(DESTDIR)$(BINDIR)/docker)" != lighter ] || rm -f $(DESTDIR)$(BINDIR)/docker \
		$(DESTDIR)$(BASHDIR)/docker $(DESTDIR)$(ZSHDIR)/_docker $(DESTDIR)$(FISHDIR)/docker.fish
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(PROGRAMS))
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,lighter.service lighter.socket lighter-docker.socket)
	rm -f $(DESTDIR)$(SYSUSERSDIR)/lighter.conf
	rm -f $(DESTDIR)$(BASHDIR)/lighter $(DESTDIR)$(ZSHDIR)/_lighter $(DESTDIR)$(FISHDIR)/lighter.fish
	rm -f $(DESTDIR)$(MANDIR)/lighter.1 $(DESTDIR)$(MANDIR)/lighter-*.1
	if $(LIVE); then systemctl daemon-reload; fi
