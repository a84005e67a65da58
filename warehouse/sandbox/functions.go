package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// What a statement may be made of. The lists were made from those of DuckDB 1.5 (duckdb_functions, duckdb_types), each name looked
// at: what computes a value from its arguments alone is in, what reads or changes anything else (files, settings, the catalogue,
// sequences, variables, the log, the session, other statements) or runs a text as SQL is out, and so is what is merely of no use
// to an analyst. A function that a newer DuckDB brings is out until somebody has looked at it.
var (
	functions = set(operatorFunctions, numberFunctions, textFunctions, timeFunctions, listFunctions, structFunctions, jsonFunctions,
		otherFunctions, aggregates)
	windowFunctions = set(aggregates, `row_number rank rank_dense dense_rank percent_rank cume_dist ntile lag lead nth_value first_value
		last_value first last fill`)
	tableFunctions = set(`unnest range generate_series`)
	// makers make as much as a number among their arguments says.
	makers = set(`range generate_series repeat lpad rpad bar list_resize array_resize`)
)

// mostMade is how much a function may be asked to make by a number in the text. One that is computed is left to the worker's
// limits.
const mostMade = 1_000_000

const (
	operatorFunctions = `+ - * / // % ** ^ & | ~ << >> || !__postfix @ ~~ !~~ ~~* !~~* ~~~ ^@ && @> <@ -> ->> <-> like_escape not_like_escape
		ilike_escape not_ilike_escape add subtract multiply divide mod xor`
	numberFunctions = `abs acos acosh asin asinh atan atan2 atanh cbrt ceil ceiling cos cosh cot degrees even exp factorial fdiv floor fmod gamma gcd
		greatest greatest_common_divisor isfinite isinf isnan lcm least least_common_multiple lgamma ln log log10 log2 nextafter pi pow power
		radians round round_even roundbankers sign signbit sin sinh sqrt tan tanh trunc bit_count random nullif equi_width_bins
		formatreadablesize formatreadabledecimalsize format_bytes bin hex unhex to_base to_hex to_binary from_hex from_binary`
	textFunctions = `array_to_string ascii bar base64 bit_length char_length character_length chr concat concat_ws contains damerau_levenshtein
		editdist3 ends_with format from_base64 hamming hash instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme
		len length length_grapheme levenshtein lower lpad ltrim md5 md5_number mismatches nfc_normalize octet_length ord position prefix printf
		regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace regexp_split_to_array
		regexp_split_to_table repeat replace reverse right right_grapheme rpad rtrim sha1 sha256 split split_part starts_with str_split
		str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos substr substring substring_grapheme
		suffix to_base64 translate trim ucase unicode upper url_decode url_encode encode decode`
	timeFunctions = `age ago century current_date current_localtime current_localtimestamp date_add date_diff date_part date_sub date_trunc datediff datepart
		datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era
		get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date make_time make_timestamp make_timestamp_ms
		make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month monthname nanosecond normalized_interval now
		quarter second strftime strptime time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours
		to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today
		transaction_timestamp try_strptime week weekday weekofyear year yearweek`
	listFunctions = `aggregate apply array_aggr array_aggregate array_append array_apply array_cat array_concat array_contains array_distinct array_extract
		array_filter array_has array_has_all array_has_any array_indexof array_intersect array_length array_pop_back array_pop_front
		array_position array_prepend array_push_back array_push_front array_reduce array_resize array_reverse array_reverse_sort array_select
		array_slice array_sort array_transform array_unique array_value array_where array_zip element_at filter flatten generate_series
		generate_subscripts grade_up array_grade_up list_aggr list_aggregate list_any_value list_append list_apply list_approx_count_distinct
		list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat list_concat list_contains list_count list_distinct
		list_element list_entropy list_extract list_filter list_first list_grade_up list_has list_has_all list_has_any list_histogram
		list_indexof list_intersect list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min list_mode list_pack
		list_position list_prepend list_product list_reduce list_resize list_reverse list_reverse_sort list_select list_sem list_skewness
		list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform list_unique list_value list_var_pop
		list_var_samp list_where list_zip range reduce unnest`
	structFunctions = `cardinality map map_concat map_contains map_contains_entry map_contains_value map_entries map_extract map_extract_value
		map_from_entries map_keys map_values row struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof
		struct_insert struct_keys struct_pack struct_position struct_update struct_values`
	jsonFunctions = `array_to_json json json_array json_array_length json_contains json_exists json_extract json_extract_path
		json_extract_path_text json_extract_string json_group_array json_group_object json_keys json_merge_patch json_object json_pretty
		json_quote json_type json_valid json_value row_to_json to_json`
	otherFunctions = `alias constant_or_null gen_random_uuid uuid typeof`
	aggregates     = `any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last arg_min
		arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star
		countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram histogram_exact kahan_sum
		kurtosis kurtosis_pop last list listagg mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc
		regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev
		stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg`
)

var (
	operators = set(`OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_TRY OPERATOR_NULLIF OPERATOR_UNPACK
		GROUPING_FUNCTION ARRAY_EXTRACT ARRAY_SLICE ARRAY_CONSTRUCTOR STRUCT_EXTRACT COMPARE_IN COMPARE_NOT_IN`)
	collations = set(`nocase noaccent nfc`)
	typeIDs    = set(`NULL BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL VARCHAR
		CHAR BLOB DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL UUID LIST ARRAY STRUCT MAP`,
		"INTEGER_LITERAL STRING_LITERAL UNKNOWN", map[string]bool{"TIMESTAMP WITH TIME ZONE": true, "TIME WITH TIME ZONE": true})
	// typeNames are those that DuckDB knows by name first when it binds a statement.
	typeNames = set(`json hugeint uhugeint int8 int4 int2 int1 integer int bigint smallint tinyint double float real numeric decimal dec varchar text
		string char bpchar boolean bool logical date time timestamp datetime timestamptz interval uuid timestamp_s timestamp_ms timestamp_us
		timestamp_ns`)
	typeInfos = set(`DECIMAL_TYPE_INFO LIST_TYPE_INFO ARRAY_TYPE_INFO STRUCT_TYPE_INFO STRING_TYPE_INFO INTEGER_LITERAL_TYPE_INFO`)
)

func set(lists ...any) map[string]bool {
	out := map[string]bool{}
	for _, words := range lists {
		switch words := words.(type) {
		case string:
			for word := range strings.FieldsSeq(words) {
				out[word] = true
			}
		case map[string]bool:
			maps.Copy(out, words)
		}
	}
	return out
}

// Functions lists what a statement may call, in order of the alphabet: operators by their names too.
func Functions() []string {
	return slices.Sorted(maps.Keys(set(functions, windowFunctions, tableFunctions)))
}
