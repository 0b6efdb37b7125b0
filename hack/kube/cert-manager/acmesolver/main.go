// Cert-manager's solver of HTTP-01 challenges, with the arguments that its pods are given, for tests.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	var one solver.HTTP01Solver
	flag.IntVar(&one.ListenPort, "listen-port", 8089, "")
	flag.StringVar(&one.Domain, "domain", "", "")
	flag.StringVar(&one.Token, "token", "", "")
	flag.StringVar(&one.Key, "key", "", "")
	flag.Parse()
	err := one.Listen(logf.Log)
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
