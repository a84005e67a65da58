package terraform_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/falloff-analytics/falloff/transforms/settings"
)

const (
	root   = "."
	clinic = "modules/clinic"
	roles  = "modules/roles"
)

// rules are what must hold; each says what does not.
var rules = []func(configuration, func(format string, args ...any)){
	formatted, described, referencesLead, callsFit, bucketsAreGuarded, keysAreKept, refusals, nothingForEveryone, oneRegion, placesAreTheProgrammes, rolesAreNarrow, backupsStay,
}

func findings(c configuration) []string {
	var out []string
	for _, rule := range rules {
		rule(c, func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) })
	}
	return out
}

func formatted(c configuration, found func(string, ...any)) {
	for path, f := range c {
		if !bytes.Equal(hclwrite.Format(f.text), f.text) {
			found("%s is not formatted: terraform fmt", path)
		}
	}
}

func described(c configuration, found func(string, ...any)) {
	for _, kind := range []string{"variable", "output"} {
		for _, b := range c.blocks("", kind) {
			if text, ok := literal(b.Body, "description"); !ok || len(strings.Join(text, "")) < 15 {
				found("%s says nothing of what it is", b.name())
			}
			if kind == "variable" && b.Body.Attributes["type"] == nil {
				found("%s has no type", b.name())
			}
		}
	}
}

// declared are the addresses that expressions of a module may name.
func (c configuration) declared(module string) map[string]bool {
	out := map[string]bool{}
	for kind, prefix := range map[string]string{"variable": "var.", "module": "module.", "resource": "", "data": "data."} {
		for _, b := range c.blocks(module, kind) {
			out[prefix+strings.Join(b.Labels, ".")] = true
		}
	}
	for _, b := range c.blocks(module, "locals") {
		for name := range b.Body.Attributes {
			out["local."+name] = true
		}
	}
	return out
}

// address is the part of a reference that something must have declared.
func address(reference hcl.Traversal) string {
	parts := []string{reference.RootName()}
	for _, step := range reference[1:] {
		if attribute, ok := step.(hcl.TraverseAttr); ok {
			parts = append(parts, attribute.Name)
		} else {
			break
		}
	}
	want := 2
	if parts[0] == "data" {
		want = 3
	}
	return strings.Join(parts[:min(want, len(parts))], ".")
}

func referencesLead(c configuration, found func(string, ...any)) {
	types := []string{"string", "number", "bool", "list", "set", "map", "object", "any"}
	for path, f := range c {
		known := c.declared(f.module())
		_ = hclsyntax.VisitAll(f.body, func(node hclsyntax.Node) hcl.Diagnostics {
			expression, ok := node.(*hclsyntax.ScopeTraversalExpr)
			if !ok {
				return nil
			}
			name := expression.Traversal.RootName()
			local := slices.Contains([]string{"each", "arn", "id", "name", "role", "statement"}, name)
			if !local && !slices.Contains(types, name) && !known[address(expression.Traversal)] {
				found("%s names %s, which is not there", path, address(expression.Traversal))
			}
			return nil
		})
	}
}

// callsFit compares what modules are given with what they take.
func callsFit(c configuration, found func(string, ...any)) {
	for _, call := range c.blocks(root, "module") {
		from, _ := literal(call.Body, "source")
		takes := map[string]bool{}
		for _, v := range c.blocks(strings.TrimPrefix(strings.Join(from, ""), "./"), "variable") {
			takes[v.Labels[0]] = true
			if call.Body.Attributes[v.Labels[0]] == nil && v.Body.Attributes["default"] == nil {
				found("%s is not given %s", call.name(), v.Labels[0])
			}
		}
		if len(takes) == 0 {
			found("%s: there is no such module", call.name())
		}
		for name := range call.Body.Attributes {
			if !takes[name] && !slices.Contains([]string{"source", "for_each"}, name) {
				found("%s is given %s, which it does not take", call.name(), name)
			}
		}
	}
}

// nested is the body of blocks within blocks.
func nested(body *hclsyntax.Body, path ...string) *hclsyntax.Body {
	for _, kind := range path {
		found := inner(body, kind)
		if len(found) == 0 {
			return &hclsyntax.Body{}
		}
		body = found[0]
	}
	return body
}

// bucketsAreGuarded: every bucket is in local.buckets, and each of these is made for all that are.
func bucketsAreGuarded(c configuration, found func(string, ...any)) {
	listed := ""
	for _, b := range c.blocks(clinic, "locals") {
		listed = b.file.source(b.Body, "buckets")
	}
	buckets := c.blocks("", "resource", "aws_s3_bucket")
	if len(buckets) != 3 {
		found("there are %d buckets", len(buckets))
	}
	for _, b := range buckets {
		if b.file.module() != clinic || !regexp.MustCompile(`= aws_s3_bucket\.`+b.Labels[1]+`\n`).MatchString(listed) {
			found("%s is not among local.buckets, and so is not guarded", b.name())
		}
		if b.Body.Attributes["force_destroy"] != nil {
			found("%s would be destroyed with what is in it", b.name())
		}
		if !strings.Contains(b.file.source(b.Body, "bucket"), "${var.region}") {
			found("%s does not say where it lies", b.name())
		}
	}
	for kind, must := range map[string]map[string]string{
		"aws_s3_bucket_versioning": {"versioning_configuration/status": `"Enabled"`},
		"aws_s3_bucket_public_access_block": {
			"block_public_acls": "true", "block_public_policy": "true", "ignore_public_acls": "true", "restrict_public_buckets": "true",
		},
		"aws_s3_bucket_ownership_controls": {"rule/object_ownership": `"BucketOwnerEnforced"`},
		"aws_s3_bucket_server_side_encryption_configuration": {
			"rule/apply_server_side_encryption_by_default/sse_algorithm":     `"aws:kms"`,
			"rule/apply_server_side_encryption_by_default/kms_master_key_id": "aws_kms_key.clinic.arn",
		},
		"aws_s3_bucket_lifecycle_configuration": {
			"rule/status": `"Enabled"`, "rule/noncurrent_version_expiration/noncurrent_days": "var.noncurrent_days",
		},
		"aws_s3_bucket_policy": {"policy": "data.aws_iam_policy_document.bucket[each.key].json"},
	} {
		made := c.blocks(clinic, "resource", kind)
		if len(made) != 1 || made[0].file.source(made[0].Body, "for_each") != "local.buckets" || made[0].file.source(made[0].Body, "bucket") != "each.value.id" {
			found("%s is not made for every bucket", kind)
			continue
		}
		for path, want := range must {
			steps := strings.Split(path, "/")
			if is := made[0].file.source(nested(made[0].Body, steps[:len(steps)-1]...), steps[len(steps)-1]); is != want {
				found("%s: %s is %q, not %s", made[0].name(), path, is, want)
			}
		}
	}
}

// keysAreKept: keys turn over by themselves, and neither they nor buckets go with a mistaken apply.
func keysAreKept(c configuration, found func(string, ...any)) {
	keys := c.blocks("", "resource", "aws_kms_key")
	if len(keys) != 2 {
		found("there are %d keys", len(keys))
	}
	for _, k := range keys {
		if k.file.source(k.Body, "enable_key_rotation") != "true" {
			found("%s does not turn over", k.name())
		}
		if !strings.HasPrefix(k.file.source(k.Body, "policy"), "data.aws_iam_policy_document.") {
			found("%s has no policy of its own", k.name())
		}
	}
	for _, b := range append(keys, c.blocks("", "resource", "aws_s3_bucket")...) {
		if b.file.source(nested(b.Body, "lifecycle"), "prevent_destroy") != "true" {
			found("%s could be destroyed by mistake", b.name())
		}
	}
}

// refusals: what every bucket's policy denies everybody.
func refusals(c configuration, found func(string, ...any)) {
	whole := `[each.value.arn, "${each.value.arn}/*"]`
	records := `["${each.value.arn}/${local.lake_prefix}/audit/*", "${each.value.arn}/${local.lake_prefix}/agreements/*"]`
	butProbe := `["${each.value.arn}/${local.probes[each.key]}"]`
	for _, must := range []struct {
		what                   string
		actions                []string
		on                     string
		resources              string
		test, variable, values string
	}{
		{"plain HTTP", []string{"s3:*"}, "resources", whole, "Bool", "aws:SecureTransport", `["false"]`},
		{"TLS before 1.3", []string{"s3:*"}, "resources", whole, "NumericLessThan", "s3:TlsVersion", `["1.3"]`},
		{"writes that are not encrypted by KMS", []string{"s3:PutObject"}, "not_resources", butProbe, "StringNotEquals", "s3:x-amz-server-side-encryption", `["aws:kms"]`},
		{
			"writes under other keys", []string{"s3:PutObject"}, "not_resources", butProbe,
			"StringNotEquals", "s3:x-amz-server-side-encryption-aws-kms-key-id", `[aws_kms_key.clinic.arn]`,
		},
		{"overwriting records", []string{"s3:PutObject"}, "resources", records, "Null", "s3:if-none-match", `["true"]`},
		{"removing records", []string{"s3:DeleteObject", "s3:DeleteObjectVersion"}, "resources", records, "", "", ""},
	} {
		if !slices.ContainsFunc(c.statements(clinic, "bucket"), func(s statement) bool {
			conditions := len(inner(s.body, "condition"))
			everyone := nested(s.body, "principals")
			return s.denies() && slices.Equal(s.actions(), must.actions) && s.file.source(s.body, must.on) == must.resources &&
				s.file.source(everyone, "type") == `"*"` && s.file.source(everyone, "identifiers") == `["*"]` &&
				(must.test == "" && conditions == 0 || conditions == 1 && s.condition(must.test, must.variable, must.values))
		}) {
			found("the buckets' policy does not deny %s", must.what)
		}
	}
	for _, s := range c.statements(clinic, "bucket") {
		if !s.denies() {
			found("%s allows something", s)
		}
	}
}

// known are the actions that there are, of those that this needs.
var known = []string{
	"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation",
	"s3:GetReplicationConfiguration", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateTags",
	"kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:EnableKeyRotation", "kms:ListResourceTags", "kms:TagResource",
	"kms:UntagResource", "kms:UpdateKeyDescription", "kms:CreateAlias", "kms:DeleteAlias", "kms:EnableKey", "kms:DisableKey", "kms:ScheduleKeyDeletion",
	"kms:CancelKeyDeletion", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity",
}

// nothingForEveryone: what is allowed is allowed to somebody, for something.
func nothingForEveryone(c configuration, found func(string, ...any)) {
	ofKeys := map[string]bool{}
	for _, k := range c.blocks("", "resource", "aws_kms_key") {
		name := strings.TrimSuffix(strings.TrimPrefix(k.file.source(k.Body, "policy"), "data.aws_iam_policy_document."), ".json")
		ofKeys[k.file.module()+" "+name] = true
	}
	for _, s := range c.statements("") {
		if len(s.actions()) == 0 {
			found("%s has no actions that can be read here", s)
		}
		if s.denies() {
			continue
		}
		for _, action := range s.actions() {
			if !slices.Contains(known, action) {
				found("%s allows %s, which nobody needs", s, action)
			}
		}
		if s.body.Attributes["not_actions"] != nil || s.body.Attributes["not_resources"] != nil || len(inner(s.body, "not_principals")) > 0 {
			found("%s allows everything but something", s)
		}
		for _, p := range inner(s.body, "principals") {
			if strings.Contains(s.file.source(p, "type")+s.file.source(p, "identifiers"), "*") {
				found("%s lets everybody in", s)
			}
		}
		resources := s.file.source(s.body, "resources")
		if ofKeys[s.file.module()+" "+s.Labels[1]] {
			if resources != `["*"]` {
				found("%s: a key's policy is about the key", s)
			}
			continue
		}
		trust := strings.HasPrefix(s.actions()[0], "sts:")
		if trust != (resources == "") || strings.Contains(resources, `"*`) || strings.Contains(resources, ":::*") {
			found("%s is about %q", s, resources)
		}
	}
	for path, f := range c {
		if bytes.Contains(f.text, []byte("jsonencode")) || bytes.Contains(f.text, []byte("<<")) {
			found("%s has a policy that these rules cannot read", path)
		}
	}
}

var region = regexp.MustCompile(`\b(us|eu|ca|ap|sa|me|af|il|mx|cn)-(gov-)?(north|south|east|west|central)+-?[a-z]*-[0-9]\b`)

// oneRegion: one provider, set to the place's region, and nobody else names one.
func oneRegion(c configuration, found func(string, ...any)) {
	providers := c.blocks("", "provider")
	if len(providers) != 1 || providers[0].file.module() != root || providers[0].file.source(providers[0].Body, "region") != "local.region" ||
		providers[0].Body.Attributes["alias"] != nil {
		found("there is not one provider, set to the place's region")
	}
	for path, f := range c {
		text := string(f.text)
		if path == "main.tf" {
			before, rest, _ := strings.Cut(text, "places = {")
			_, after, _ := strings.Cut(rest, "}")
			text = before + after
		}
		if name := region.FindString(text); name != "" {
			found("%s names the region %s", path, name)
		}
		for _, b := range f.body.Blocks {
			if b.Type != "resource" && b.Type != "data" && b.Type != "module" {
				continue
			}
			for _, elsewhere := range []string{"provider", "providers"} {
				if b.Body.Attributes[elsewhere] != nil {
					found("%s: %v has a provider of its own", path, b.Labels)
				}
			}
			if at := b.Body.Attributes["region"]; at != nil && (b.Type != "module" || f.source(b.Body, "region") != "local.region") {
				found("%s: %v has a region of its own", path, b.Labels)
			}
		}
	}
	for _, b := range c.blocks(root, "locals") {
		if b.file.source(b.Body, "region") != "local.places[var.place]" {
			found("the region is not the place's")
		}
	}
}

// placesAreTheProgrammes: the places are those that the program demands, and no other word is taken for one.
func placesAreTheProgrammes(c configuration, found func(string, ...any)) {
	places := map[string]string{}
	for _, b := range c.blocks(root, "locals") {
		if value, problems := b.Body.Attributes["places"].Expr.Value(nil); !problems.HasErrors() {
			for name, at := range value.AsValueMap() {
				places[name] = at.AsString()
			}
		}
	}
	want := map[string]string{}
	for _, country := range []string{"CA", "US", "AU", "GB", "BR"} {
		place, _ := settings.Clinic{Country: country}.Residence()
		want[strings.ToLower(place.City)] = place.Region
	}
	if !maps.Equal(places, want) {
		found("the places are %v, the program's %v", places, want)
	}
	for _, name := range append(slices.Collect(maps.Keys(want)), "frankfurt", "ca-central-1", "", "Montreal") {
		for _, v := range c.blocks(root, "variable", "place") {
			valid := nested(v.Body, "validation").Attributes["condition"]
			if valid == nil {
				found("any place is taken")
				return
			}
			taken, problems := valid.Expr.Value(&hcl.EvalContext{
				Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{"place": cty.StringVal(name)})},
				Functions: map[string]function.Function{"contains": stdlib.ContainsFunc},
			})
			if problems.HasErrors() {
				found("the place's validation: %v", problems)
			} else if taken.True() != (want[name] != "") {
				found("the place %q is taken: %v", name, taken.True())
			}
		}
	}
}

// rolesAreNarrow: each role can do what its commands need and no more.
func rolesAreNarrow(c configuration, found func(string, ...any)) {
	mayNot := map[string][]string{
		"extraction": {"s3:DeleteObjectVersion", "s3:ListBucketVersions", "kms:ScheduleKeyDeletion", "backup_arn", "local.backup", "replica"},
		"server":     {"s3:DeleteObject", "s3:DeleteObjectVersion", "kms:ScheduleKeyDeletion", "backup_arn", "local.backup", "replica"},
		"backup":     {"s3:DeleteObjectVersion", "kms:ScheduleKeyDeletion", "replica"},
		"steward":    {},
	}
	for role, forbidden := range mayNot {
		statements := c.statements(roles, role)
		if len(statements) == 0 {
			found("the role %s has no policy", role)
		}
		once := false
		for _, s := range statements {
			text := s.file.source(s.body, "actions") + s.file.source(s.body, "resources")
			for _, word := range forbidden {
				if strings.Contains(text, word+`"`) || !strings.Contains(word, ":") && strings.Contains(text, word) {
					found("%s: %s has to do with %s", s, role, word)
				}
			}
			resources := s.file.source(s.body, "resources")
			writes := slices.Contains(s.actions(), "s3:PutObject")
			switch {
			case resources == "local.records":
				once = slices.Equal(s.actions(), []string{"s3:PutObject"}) && s.condition("StringEquals", "s3:if-none-match", `["*"]`)
				if !once {
					found("%s: records can be written otherwise than once", s)
				}
			case writes && (strings.Contains(resources, `"${local.lake}/*"`) || strings.Contains(resources, "audit") || strings.Contains(resources, "agreements")):
				found("%s writes more of the lake than the clinic's own", s)
			case strings.Contains(resources, "clinic=*"):
				found("%s reaches other clinics", s)
			}
			if role == "server" && writes && strings.Contains(resources, "clinic=") && !strings.Contains(string(s.Range().SliceBytes(s.file.text)), "var.server_records ?") {
				found("%s: the server writes also where nobody may record anything", s)
			}
		}
		if !once {
			found("the role %s cannot write records", role)
		}
	}
	for _, s := range c.statements(roles, "steward_trust") {
		if !s.condition("Bool", "aws:MultiFactorAuthPresent", `["true"]`) {
			found("%s demands no second factor", s)
		}
	}
	for _, s := range c.statements(roles, "machine_trust") {
		if s.actions()[0] == "sts:AssumeRoleWithWebIdentity" && len(inner(s.body, "condition")) != 2 {
			found("%s: any service account may take the role", s)
		}
	}
	for _, b := range c.blocks(roles, "locals") {
		if records := b.file.source(b.Body, "records"); records != `["${local.lake}/audit/*", "${local.lake}/agreements/*"]` {
			found("records are %s", records)
		}
	}
}

// backupsStay: the replica is the one place that backups go to by themselves, and it is a bucket of this very region.
func backupsStay(c configuration, found func(string, ...any)) {
	made := c.blocks("", "resource", "aws_s3_bucket_replication_configuration")
	if len(made) != 1 {
		found("there are %d replications", len(made))
		return
	}
	r := made[0]
	for path, want := range map[string]string{
		"bucket": "aws_s3_bucket.backup.id", "rule/status": `"Enabled"`, "rule/destination/bucket": "aws_s3_bucket.replica.arn",
		"rule/destination/encryption_configuration/replica_kms_key_id":    "aws_kms_key.clinic.arn",
		"rule/source_selection_criteria/sse_kms_encrypted_objects/status": `"Enabled"`,
	} {
		steps := strings.Split(path, "/")
		if is := r.file.source(nested(r.Body, steps[:len(steps)-1]...), steps[len(steps)-1]); is != want {
			found("%s: %s is %q", r.name(), path, is)
		}
	}
}
