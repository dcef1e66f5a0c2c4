# `make` lists the targets; each says what it is for.

GO            ?= go
GOLANGCI_LINT ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# For other systems what is built is thrown away, and vet looks at the packages with files for some systems only.
QUICK         = -gcflags='all=-N -l'
OF_THE_SYSTEM = '{{if or .IgnoredGoFiles .IgnoredOtherFiles}}{{.ImportPath}}{{end}}'
# A number of runs: go test now and then takes the end of a time limit for a failure.
FUZZTIME      ?= 1000x

# What the command is built for besides the machine at hand; `make unit` does.
TARGETS = windows/amd64 darwin/arm64

# What others have written, computes for long, and hands nothing from one goroutine to another is tested without the race
# detector, under which it takes five times as long. A package that makes instances of generic types does not belong here:
# the linker may take its instance of one for that of the whole program, and the detector then misses what orders accesses.
UNRACED = modernc.org/sqlite/lib filippo.io/edwards25519 filippo.io/edwards25519/field \
	$(addprefix golang.org/x/crypto/,argon2 bcrypt blake2b blowfish scrypt)
RACE    = -race $(foreach p,$(UNRACED),-gcflags=$p=-race=false)

# The packages whose tests take longest go first, so that in the end none is waited for alone.
LONGEST = ./cmd/rushgate ./server ./internal/e2e ./store/redis ./internal/stress/run ./store/sqlite

# Package and target of every fuzz test; `make unit` fails if one is missing here.
FUZZ = .:FuzzLoginName .:FuzzNewUsername ./internal/api:FuzzParseCredentials ./internal/api:FuzzParseEntry ./internal/api:FuzzParsePasswordChange ./internal/api:FuzzParseProof ./internal/api:FuzzParseRename ./internal/api:FuzzParseResume ./internal/peer:FuzzClient ./internal/doorman:FuzzSameAnswers ./internal/strictjson:FuzzObject ./internal/strictjson:FuzzValue ./internal/token:FuzzParse ./internal/stress/flood:FuzzParseAnswer ./internal/stress/run:FuzzLineAnswers ./internal/tlsresume:FuzzParse ./internal/wschannel:FuzzParseGreeting ./client:FuzzAnswer ./client:FuzzLine ./client:FuzzOpaqueBeginning ./client:FuzzParseResume ./client:FuzzParseTicket ./internal/pbkdf2x:FuzzDerive ./internal/importer/oldgame:FuzzParse ./internal/importer/oldgame:FuzzRecord ./netcode:FuzzChallenge ./netcode:FuzzClientReceive ./netcode:FuzzConnectToken ./internal/access:FuzzParse \
	./internal/api:FuzzParseFactor ./internal/secondfactor:FuzzParseCode ./internal/audit:FuzzParse ./internal/operator:FuzzParse \
	./internal/handover:FuzzMessages ./internal/line:FuzzOpen ./internal/line:FuzzOpenProof ./internal/line:FuzzDecodeText ./internal/line:FuzzParseKeyring ./internal/line:FuzzState ./internal/udpknock:FuzzAnswer ./internal/udpknock:FuzzMessages \
	./netcode:FuzzPacket ./netcode:FuzzPrivateToken ./netcode:FuzzRequest ./password:FuzzParseHash ./password:FuzzParsePepper \
	./protocol:FuzzDecodeSnapshot ./protocol:FuzzParseIntent ./protocol:FuzzParseMessages ./internal/reliable:FuzzEndState ./internal/reliable:FuzzHear ./server:FuzzParseKeys ./store/internal/credential:FuzzUnmarshal ./store/internal/cursor:FuzzFrom ./store/internal/device:FuzzUnmarshal ./store/redis:FuzzFrames ./store/redis:FuzzParseHistory ./store/redis:FuzzParsePlace ./store/redis:FuzzRefusals ./internal/stress/report:FuzzReadReport ./internal/stress/page:FuzzWrite ./internal/stress/adapter:FuzzServerAnswers ./world:FuzzParseDefinition ./world:FuzzEnterData \
	./examples/tag:FuzzRestore ./internal/door:FuzzDoorState ./internal/packed:FuzzParse ./internal/realm:FuzzRealmState ./netcode:FuzzServerState ./world:FuzzRestore \
	./internal/linked:FuzzProof ./internal/api:FuzzParseIdentity ./internal/api:FuzzParseRecovery ./internal/mail:FuzzLanguages ./internal/mail:FuzzParseAddress ./internal/token:FuzzParseCode \
	./internal/api:FuzzParsePasskey ./internal/passkey:FuzzAnswers ./internal/mail:FuzzWire ./internal/recipe:FuzzParseStored \
	./internal/admin:FuzzParseNetwork ./internal/admin:FuzzReadTrace \
	./internal/importer/scheme:FuzzParseFamily ./internal/importer/scheme:FuzzRecognise ./internal/importer/records:FuzzParseLine ./internal/opaque:FuzzKE1 \
	./internal/opaque:FuzzParseKeys ./internal/opaque:FuzzParseRecord ./internal/opaque:FuzzRequest ./internal/opaque:FuzzState \
	./internal/opaqueclient:FuzzAnswers ./internal/api:FuzzParseOpaque \
	./internal/importer/table:FuzzAddress ./internal/importer/table:FuzzText ./internal/importer/table:FuzzLua ./internal/importer/source:FuzzPath ./internal/importer/source:FuzzParse \
	./internal/api:FuzzParseGuest ./internal/token:FuzzParseGuest ./internal/identity:FuzzParseAttempt ./internal/oidc:FuzzAnswers ./internal/oidc:FuzzSettings ./internal/oidc:FuzzToken ./internal/steam:FuzzAnswer \
	./internal/steam:FuzzTicketAnswer ./internal/steam:FuzzVerification

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

.PHONY: build
build: ## build the command into ./rushgate, one static binary
	CGO_ENABLED=0 $(GO) build -o rushgate ./cmd/rushgate

.PHONY: web
web: ## bundle the browser client anew into internal/web/dist; `make unit` fails if that is not fresh
	npm ci --no-audit --no-fund --prefix internal/web
	npm run check --prefix internal/web
	$(GO) generate ./internal/web

.PHONY: run
run: ## run a node on 127.0.0.1:8080, players in ./rushgate-data
	$(GO) run ./cmd/rushgate serve

.PHONY: test
test: tools lint unit fuzz ## everything that has to pass before a change goes in

.PHONY: tools
tools: ## say what the tests need and this machine lacks; install it where that is root's to do with apt-get
	@.ci/tools
	npm ci --no-audit --no-fund --prefix internal/web
	npm ci --no-audit --no-fund --ignore-scripts --prefix internal/e2e/generated
	$(GO) mod download -C internal/e2e/generated
	$(GO) mod download -C internal/mail/goserver
	npm ci --no-audit --no-fund --ignore-scripts --prefix internal/oidc/nodeserver
	$(GO) mod download -C internal/oidc/goserver
	$(GO) mod download -C internal/importer/pocketbase

.PHONY: lint
lint: ## check style: gofmt, go vet, staticcheck and others, see .golangci.yml
	$(GO) mod tidy -diff
	$(GOLANGCI_LINT) run ./...
	$(GO) vet -C internal/pbkdf2x/asm .
	$(GO) vet -C internal/mail/goserver .
	$(GO) vet -C internal/oidc/goserver .
	$(GO) vet -C internal/importer/pocketbase .
	npm run check --prefix internal/web
	@$(GO) generate ./internal/pbkdf2x && git diff --exit-code --stat -- internal/pbkdf2x/kernels_amd64.s internal/pbkdf2x/stubs_amd64.go || \
	{ echo "the generated assembly was not fresh; go generate has just made it so"; exit 1; }

# The tests are built without vet, which is among the linters.
.PHONY: unit
unit: ## run the tests with the race detector, and check that the static binary builds for every system
	@grep -rhoE '^func Fuzz[A-Za-z]+' --include='*_test.go' . | wc -l | grep -qx "$(words $(FUZZ))" || { echo "FUZZ in the Makefile does not list every fuzz test"; exit 1; }
	CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/rushgate
	@set -e; for t in $(TARGETS); do echo "building and vetting for $$t"; export CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/}; \
	$(GO) build $(QUICK) -o /dev/null ./cmd/rushgate; $(GO) vet $(QUICK) $$($(GO) list -f $(OF_THE_SYSTEM) ./...); done
	GOARCH=arm64 $(GO) vet ./netcode ./internal/pbkdf2x ./internal/realm
	$(GO) test -tags netcode_portable -run UDP ./netcode
	RUSHGATE_REQUIRE_REDIS=1 RUSHGATE_REQUIRE_PROMETHEUS=1 RUSHGATE_REQUIRE_PROXIES=1 RUSHGATE_REQUIRE_NODE=1 RUSHGATE_REQUIRE_CHROMIUM=1 $(GO) test $(RACE) -vet=off -p 4 $(LONGEST) ./...
	$(GO) test -tags purego ./internal/pbkdf2x
	@$(GO) test -run '^TestVectors$$' -v ./internal/pbkdf2x | grep 'NOT TESTED' || echo "every hash kernel was tested on this CPU"

# Each package is built once for all of its targets: go test would link it for each. Guidance by coverage is for those who
# fuzz for a time: it has all dependencies built anew, which takes longer than the 1000 runs.
.PHONY: fuzz
fuzz: ## fuzz each parser of outside bytes for FUZZTIME (default 1000 runs)
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; export CGO_ENABLED=0; \
	for p in $(sort $(foreach f,$(FUZZ),$(firstword $(subst :, ,$(f))))); do \
	$(GO) test -c -vet=off -ldflags='-s -w' $(if $(FUZZTIME:%x=),-fuzz .) -o "$$dir/fuzz.test" "$$p"; \
	for f in $(FUZZ); do [ "$${f%:*}" = "$$p" ] || continue; echo "$$f"; \
	(cd "$$p" && "$$dir/fuzz.test" -test.run '^$$' -test.fuzz "^$${f#*:}\$$" -test.fuzztime $(FUZZTIME) \
	-test.fuzzcachedir "$$dir/corpus/$$p"); done; done

.PHONY: bench
bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . ./...

.PHONY: clean
clean: ## remove what build has made; players in ./rushgate-data stay
	rm -f rushgate
