package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// The controllers of ACME, CA and SelfSigned issuers, with what their flags default to. Names for self checks can be resolved at a
// server that they are told.
func controllers(ctx context.Context, args []string) error {
	options := defaults()
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	logging := logsapi.NewLoggingConfiguration()
	logf.AddFlags(logging, flags)
	flags.String("leader-election-namespace", "", "taken and not used: there is one of them")
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "who to talk to the API server as; without: as the pod")
	flags.StringVar(&options.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where ClusterIssuers have their Secrets")
	flags.StringVar(&options.HTTP01SolverImage, "acme-http01-solver-image", "cert-manager-acmesolver", "what the pods of solvers run")
	flags.StringSliceVar(&options.HTTP01SolverNameservers, "acme-http01-solver-nameservers", nil, "HOST:PORT that self checks resolve names at")
	flags.IntVar(&options.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "")
	health := flags.String("internal-healthz-listen-address", "0.0.0.0:9403", "where the kubelet asks whether this lives; 0: nowhere")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(logging); err != nil {
		return err
	}
	running := make(chan error)
	if *health != "0" {
		mux := http.NewServeMux()
		mux.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
		go func() { running <- http.ListenAndServe(*health, mux) }()
	}
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	// All of them are made before the informers start: each asks for its own.
	for name, construct := range controller.Known() {
		one, err := construct(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		go func() { running <- one.Run(5, ctx) }()
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return <-running
}

func defaults() controller.ContextOptions {
	return controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckRetryPeriod:             10 * time.Second,
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
}
