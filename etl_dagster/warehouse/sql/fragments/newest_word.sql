-- What a source's newest row in the ledger says of a phone, as columns of CHUNK_EVIDENCE.
{source}.verdict AS {source}_verdict,
    {source}.reason AS {source}_reason,
    {source}.checked_at AS {source}_checked_at,
    {source}.valid_until AS {source}_valid_until,
    {source}.list_versions AS {source}_list_versions,
    {source}.policy_hash AS {source}_policy_hash
