// Prepared statements, each prepared once, with the rows that they give.
import type { Database } from "./database.ts";

export interface Statement<Row> {
  run(...values: readonly unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  get(...values: readonly unknown[]): Row | undefined;
  all(...values: readonly unknown[]): Row[];
}

/** The type of the rows is the caller's word for what its SQL selects. */
export type Prepare = <Row = unknown>(sql: string) => Statement<Row>;

export function statements(database: Database): Prepare {
  const prepared = new Map<string, unknown>();
  return <Row>(sql: string) => {
    if (!prepared.has(sql)) prepared.set(sql, database.prepare(sql));
    return prepared.get(sql) as Statement<Row>;
  };
}
