//go:build tools

// Package tools names the program that is built here, so that its modules stay in go.mod and go.sum.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
