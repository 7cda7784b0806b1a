import { KubeObject, KubeObjectInterface } from '@kinvolk/headlamp-plugin/lib/k8s/cluster';
import { GROUP, Job } from './job';

/** Routes of the pages, below /c/CLUSTER. Headlamp's links find them by these names: of the kind, and of its plural. */
export const PATH = '/reconstruction/jobs';
export const LIST = 'reconstructionjobs';
export const DETAILS = 'ReconstructionJob';

export class ReconstructionJob extends KubeObject<Job & KubeObjectInterface> {
  static kind = DETAILS;
  static apiName = LIST;
  static apiVersion = `${GROUP}/v1alpha1`;
  static isNamespaced = true;

  get job(): Job {
    return this.jsonData;
  }
}
