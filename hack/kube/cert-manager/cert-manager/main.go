// Cert-manager's controllers, its webhook and its CA injector in one program, for tests: cert-manager COMMAND FLAG...
//
// The mains of cert-manager are in modules that no proxy carries. This one wires the same packages together, for the flags that
// cert-manager's chart gives them; it leaves out the election of leaders and the gateways. Go lets only packages below the path
// of a module import what is internal to it, as those mains do and the webhook has to: so this module has a name below it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	commands := map[string]func(context.Context, []string) error{
		"controller": controllers,
		"webhook":    serveWebhook,
		"cainjector": injectAuthorities,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "cert-manager controller|webhook|cainjector FLAG...")
		os.Exit(2)
	}
	logf.InitLogs()
	ctrl.SetLogger(klog.Background())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
