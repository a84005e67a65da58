package iceberg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	_ "github.com/apache/iceberg-go/catalog/rest" // the kind of catalog that can be named
	"github.com/apache/iceberg-go/config"
	"github.com/apache/iceberg-go/table"
)

// registry is what of a catalog is asked for.
type registry interface {
	CreateNamespace(ctx context.Context, namespace table.Identifier, properties iceberg.Properties) error
	CheckNamespaceExists(ctx context.Context, namespace table.Identifier) (bool, error)
	CheckTableExists(ctx context.Context, name table.Identifier) (bool, error)
	DropTable(ctx context.Context, name table.Identifier) error
	RegisterTable(ctx context.Context, name table.Identifier, metadata string) (*table.Table, error)
}

// Register tells an Iceberg REST catalog where the tables of a report are. The catalog is the entry of that name in
// .iceberg-go.yaml, which holds its address and credentials. A table that it has already is dropped there, without its files,
// and registered again: between the two it is missing.
//
// BUG(iceberg): it was tried against a server of ours that speaks the protocol, never against AWS Glue or another real
// catalog; and a table goes from one state to the next in two steps.
func Register(ctx context.Context, name string, report *Report) error {
	properties := iceberg.Properties{}
	if signing := config.EnvConfig.Catalogs[name].RestOptions; signing != nil && signing.SigV4Enabled { // what Load leaves out
		properties["rest.sigv4-enabled"] = "true"
		properties["rest.signing-name"], properties["rest.signing-region"] = signing.SigningName, signing.SigningRegion
	}
	loaded, err := catalog.Load(ctx, name, properties)
	if err != nil {
		return fmt.Errorf("open the catalog %s of .iceberg-go.yaml: %w", name, err)
	}
	to, ok := loaded.(registry)
	if !ok {
		return fmt.Errorf("the catalog %s is of the kind %s, in which no existing table can be registered: name a REST catalog", name, loaded.CatalogType())
	}
	for _, t := range report.Tables {
		if t.Metadata == "" {
			continue
		}
		if err := registerTable(ctx, to, t); err != nil {
			return fmt.Errorf("register table %s in the catalog %s: %w", t.Name, name, err)
		}
	}
	return nil
}

func registerTable(ctx context.Context, to registry, t Table) error {
	namespace, name, _ := strings.Cut(t.Name, ".")
	ident := table.Identifier{namespace, name}
	there, err := to.CheckNamespaceExists(ctx, ident[:1])
	if err == nil && !there {
		err = to.CreateNamespace(ctx, ident[:1], nil)
		if errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if there, err = to.CheckTableExists(ctx, ident); err == nil && there {
		err = to.DropTable(ctx, ident)
	}
	if err != nil {
		return err
	}
	_, err = to.RegisterTable(ctx, ident, t.Metadata)
	return err
}
