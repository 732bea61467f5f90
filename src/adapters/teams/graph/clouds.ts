// Where Microsoft's clouds are: sign-in, Graph and the hosts of files, for the public one and the national ones.

export const CLOUD_NAMES = ["global", "gcc-high", "dod", "china"] as const;
export type CloudName = (typeof CLOUD_NAMES)[number];

export interface GraphHosts {
  /** Origin that gives tokens. */
  readonly login: string;
  /** Origin of Graph, without its version. */
  readonly graph: string;
  /** Where SharePoint and OneDrive keep files: origins, "*." standing for any name before the rest. */
  readonly files: readonly string[];
}

/** Ref: Microsoft Graph, "National cloud deployments"; Microsoft 365, "URLs and IP address ranges" */
export const CLOUDS: Readonly<Record<CloudName, GraphHosts>> = {
  global: {
    login: "https://login.microsoftonline.com",
    graph: "https://graph.microsoft.com",
    files: ["https://*.sharepoint.com"],
  },
  "gcc-high": {
    login: "https://login.microsoftonline.us",
    graph: "https://graph.microsoft.us",
    files: ["https://*.sharepoint.us"],
  },
  dod: {
    login: "https://login.microsoftonline.us",
    graph: "https://dod-graph.microsoft.us",
    files: ["https://*.sharepoint-mil.us"],
  },
  china: {
    login: "https://login.partner.microsoftonline.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    files: ["https://*.sharepoint.cn"],
  },
};

export function hostsOf(cloud: CloudName = "global", own: Partial<GraphHosts> = {}): GraphHosts {
  return { ...CLOUDS[cloud], ...own };
}
