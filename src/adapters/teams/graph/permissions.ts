// Which permission each part takes, in the words that an operator finds in Microsoft's pages and in docs/teams.md.

export const CHANNEL_READ = "ChannelMessage.Read.Group (in the app's manifest, for the team)";
export const CHAT_READ = "ChatMessage.Read.Chat (in the app's manifest, for the chat)";
export const MEMBERS_READ = "ChatMember.Read.Chat (in the app's manifest, for the chat)";
export const TEAM_MEMBERS_READ = "TeamMember.Read.Group (in the app's manifest, for the team)";
/** Also to read alone: for links to files Microsoft names no lesser one. Ref: Microsoft Graph, "Access shared items" */
export const FILES = "Files.ReadWrite.All (an application permission)";
export const RECORDINGS_READ =
  "OnlineMeetingRecording.Read.All with an application access policy for the organizer, or " +
  "OnlineMeetingRecording.Read.Chat in the app's manifest";
export const MEETINGS_READ = "OnlineMeetings.Read.All with an application access policy for the organizer";
export const SUBSCRIBE_TENANT = "OnlineMeetingRecording.Read.All (an application permission)";
export const SUBSCRIBE_INSTALLED = "OnlineMeetingRecording.Read.Chat (in the app's manifest, for the meeting's chat)";
