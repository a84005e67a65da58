package terraform_test

import (
	"maps"
	"strings"
	"testing"
)

func TestTerraformKeepsWhatIsPromised(t *testing.T) {
	for _, finding := range findings(parse(t, texts(t))) {
		t.Error(finding)
	}
}

// Each of these would be a mistake that somebody could make: the rules must see it.
func TestTheRulesSeeMistakes(t *testing.T) {
	whole := texts(t)
	for _, c := range []struct{ file, old, new, sees string }{
		{"modules/clinic/main.tf", "block_public_policy     = true", "block_public_policy     = false", "block_public_policy"},
		{"modules/clinic/main.tf", `status = "Enabled"`, `status = "Suspended"`, "versioning"},
		{"modules/clinic/main.tf", "    replica = aws_s3_bucket.replica\n", "", "not guarded"},
		{"modules/clinic/main.tf", `"aws:kms"`, `"AES256"`, "sse_algorithm"},
		{"modules/clinic/main.tf", "    prevent_destroy = true\n", "", "destroyed by mistake"},
		{"modules/clinic/main.tf", "noncurrent_days = var.noncurrent_days", "noncurrent_days = 1", "noncurrent_days"},
		{"modules/clinic/main.tf", `"BucketOwnerEnforced"`, `"ObjectWriter"`, "object_ownership"},
		{"modules/clinic/main.tf", "-${var.region}-data", "-data", "where it lies"},
		{"modules/clinic/policy.tf", `["1.3"]`, `["1.2"]`, "TLS before 1.3"},
		{"modules/clinic/policy.tf", `"NumericLessThan"`, `"NumericEquals"`, "TLS before 1.3"},
		{"modules/clinic/policy.tf", `values   = ["aws:kms"]`, `values   = ["AES256"]`, "not encrypted by KMS"},
		{"modules/clinic/policy.tf", `[aws_kms_key.clinic.arn]`, `["*"]`, "under other keys"},
		{"modules/clinic/policy.tf", `"s3:if-none-match"`, `"s3:if-match"`, "overwriting records"},
		{"modules/clinic/policy.tf", `"s3:DeleteObject", "s3:DeleteObjectVersion"`, `"s3:DeleteObject"`, "removing records"},
		{"modules/clinic/policy.tf", `effect    = "Deny"`, `effect    = "Allow"`, "allows something"},
		{"modules/clinic/key.tf", "enable_key_rotation     = true", "enable_key_rotation     = false", "does not turn over"},
		{"modules/clinic/key.tf", `"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"`, `"kms:*"`, "allows kms:*"},
		{"modules/clinic/key.tf", `["arn:aws:iam::${var.account}:root"]`, `["*"]`, "lets everybody in"},
		{"modules/clinic/replication.tf", "aws_s3_bucket.replica.arn\n", `"arn:aws:s3:::elsewhere"` + "\n", "rule/destination/bucket"},
		{"modules/roles/policies.tf", `actions   = ["s3:GetObject"]`, `actions   = ["s3:*"]`, "allows s3:*"},
		{"modules/roles/policies.tf", `["${local.lake}/*"]`, `["*"]`, "is about"},
		{"modules/roles/policies.tf", `clinic=${var.clinic}/*`, `clinic=*/*`, "reaches other clinics"},
		{"modules/roles/policies.tf", `actions   = ["s3:DeleteObject"]`, `actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]`, "DeleteObjectVersion"},
		{"modules/roles/policies.tf", `"s3:if-none-match"`, `"s3:if-match"`, "otherwise than once"},
		{"modules/roles/policies.tf", `var.server_records ? [true] : []`, `[true]`, "nobody may record"},
		{"modules/roles/main.tf", `"aws:MultiFactorAuthPresent"`, `"aws:ViaAWSService"`, "second factor"},
		{"modules/roles/main.tf", "var.machines", "var.maschines", "not there"},
		{"main.tf", `"ca-central-1"`, `"us-east-1"`, "the program's"},
		{"main.tf", "region = local.region", `region = "eu-central-1"`, "names the region"},
		{"main.tf", "  noncurrent_days    = var.noncurrent_days\n", "", "is not given"},
		{"variables.tf", `"oregon", "sydney", "london"]`, `"oregon", "sydney", "london", "frankfurt"]`, "frankfurt"},
		{"variables.tf", "  description = \"Tags of everything that can carry some.\"\n", "", "says nothing"},
	} {
		if !strings.Contains(whole[c.file], c.old) {
			t.Errorf("%s has no %q any more", c.file, c.old)
			continue
		}
		broken := maps.Clone(whole)
		broken[c.file] = strings.Replace(broken[c.file], c.old, c.new, 1)
		if seen := strings.Join(findings(parse(t, broken)), "\n"); !strings.Contains(seen, c.sees) {
			t.Errorf("%s: %q in the place of %q is not seen; seen is:\n%s", c.file, c.new, c.old, seen)
		}
	}
}
