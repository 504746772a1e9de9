/** Everything known about an event, by its id or the id of one of its deliveries, in the order of the story. Parameters: the id, and how many rows at most. */
export const storyQuery = `
  WITH about AS (
    SELECT DISTINCT event_source, event_id FROM ledger.audit_record WHERE event_id = $1 OR delivery_id = $1)
  SELECT f.* FROM ledger.fact f JOIN about USING (event_source, event_id)
  ORDER BY f.event_source, f.occurred_at, f.audit_partition, f.audit_offset LIMIT $2`;
